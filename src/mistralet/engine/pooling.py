"""What a model makes of a whole prompt, as one vector."""

from __future__ import annotations

from collections.abc import Sequence as ListOf

from torch import Tensor

from mistralet.engine.scheduler import Chunk
from mistralet.model import MistralSmall


def pool_prompts(model: MistralSmall, chunks: ListOf[Chunk], hidden: Tensor) -> None:
    """Work out the `embedding` of the sequences that want one: the mean of their last hidden states, after the norm.

    Ends the answers of those that are read to their end, for nothing is written.

    Args:
        hidden: the model's hidden states over the chunks, one after another.
    """
    first = 0
    for chunk in chunks:
        sequence = chunk.sequence
        if sequence.request.embed:
            total = model.norm(hidden[first : first + chunk.tokens]).float().sum(0)
            # After a preemption it begins anew.
            sequence.pooled = total if sequence.pooled is None or not sequence.computed else sequence.pooled + total
            if chunk.is_last:
                sequence.embedding = (sequence.pooled / sequence.prompt_length).tolist()
                sequence.answer.end("stop")
        first += chunk.tokens + len(chunk.draft)
