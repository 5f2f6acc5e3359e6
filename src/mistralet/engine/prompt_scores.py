"""How likely a model found the tokens of a prompt, for requests that ask for it."""

from __future__ import annotations

from collections.abc import Sequence as ListOf

from torch import Tensor

from mistralet.engine.sampling import Sampled, Sampler
from mistralet.engine.scheduler import Chunk
from mistralet.engine.sequence import Sequence
from mistralet.model import MistralSmall

# Rows of scores that are in memory at once.
_ROWS = 64


def score_prompts(
    model: MistralSmall, sampler: Sampler, chunks: ListOf[Chunk], hidden: Tensor
) -> dict[Sequence, list[Sampled]]:
    """The prompt tokens that follow those of each chunk, of requests that want `prompt_logprobs`.

    Args:
        hidden: the model's hidden states over the chunks, one after another.
    """
    scores = {}
    first = 0
    for chunk in chunks:
        if chunk.sequence.request.params.prompt_logprobs is not None:
            scores[chunk.sequence] = _score(model, sampler, chunk, hidden[first : first + chunk.tokens])
        first += chunk.tokens + len(chunk.draft)
    return scores


def _score(model: MistralSmall, sampler: Sampler, chunk: Chunk, hidden: Tensor) -> list[Sampled]:
    sequence = chunk.sequence
    alternatives = sequence.request.params.prompt_logprobs or 0
    # A row scores the token after it. What was scored before a preemption is not scored again.
    begin = max(sequence.computed, sequence.scored)
    end = min(sequence.computed + chunk.tokens, sequence.prompt_length - 1)
    scores: list[Sampled] = []
    for start in range(begin, end, _ROWS):
        stop = min(start + _ROWS, end)
        logits = model.logits(hidden[start - sequence.computed : stop - sequence.computed])
        scores += sampler.prompt_logprobs(logits, sequence.ids[start + 1 : stop + 1], alternatives)
    sequence.scored = max(end, sequence.scored)
    return scores
