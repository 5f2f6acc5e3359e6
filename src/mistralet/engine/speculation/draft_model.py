"""`DraftModel`: lets a small model guess (Leviathan et al. 2023, "Fast Inference from Transformers")."""

from __future__ import annotations

import time
from collections.abc import Sequence as ListOf
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from mistralet.config import KVType
from mistralet.engine.model_runner import ModelRunner
from mistralet.engine.speculation.drafter import Drafter, StepGain
from mistralet.errors import UsageError
from mistralet.model import ForwardBatch, KVCache, MistralSmall
from mistralet.ops import PagedBatch, Span

if TYPE_CHECKING:
    from mistralet.engine.sampling import Sampled
    from mistralet.engine.scheduler import Chunk
    from mistralet.engine.sequence import Sequence

_MOST_TOKENS = 8
_DECAY = 0.95  # of what was learned, with each guess
_FIRST_RATE, _PRIOR = 0.5, 4.0  # how likely a guess is right before anything is known, and how many guesses that weighs
# After so many steps without a guess one token is guessed, to learn whether it pays by now.
_RETRY = 100


@dataclass
class _Rate:
    """How often guesses for one sequence were right."""

    right: float = _FIRST_RATE * _PRIOR
    tried: float = _PRIOR
    idle: int = 0  # steps since the last guess

    def learn(self, right: int, tried: int) -> None:
        self.right = self.right * _DECAY + right
        self.tried = self.tried * _DECAY + tried


class DraftModel(Drafter):
    """Guesses with a small model that runs beside the large one.

    Its cache has the same blocks: it reads whatever the large model reads, and stores it in the same places. So
    prefixes that are shared, and blocks that are copied, are so for both.
    """

    def __init__(self, model: MistralSmall, target: MistralSmall, kv_type: KVType, blocks: int) -> None:
        """
        Args:
            target: the model that it guesses for.
            kv_type, blocks: of the target's cache.

        Raises:
            UsageError: the models have different vocabularies, or the guessing one a shorter context.
        """
        mine, its = model.config, target.config
        if mine.vocab_size != its.vocab_size:
            raise UsageError(
                f"The draft model has a vocabulary of {mine.vocab_size} tokens and the model one of {its.vocab_size};"
                " take a draft model of the same family."
            )
        if mine.max_position_embeddings < its.max_position_embeddings:
            raise UsageError(
                f"The draft model reads {mine.max_position_embeddings} tokens and the model"
                f" {its.max_position_embeddings}; take a draft model with a context as long."
            )
        self.model = model
        self.cache = KVCache(mine, kv_type, model.norm.weight.device, blocks)
        self._runner = ModelRunner(model, self.cache)
        self._gain = StepGain()
        self._token_seconds = 0.0  # of a guessed token, lately
        self._rates: dict[Sequence, _Rate] = {}

    def begin(self, decoding: int) -> None:
        """See `Drafter`."""
        self._gain.begin(decoding)

    def length(self, sequence: Sequence) -> int:
        """See `Drafter`."""
        rate = self._rates.setdefault(sequence, _Rate())
        most = min(_MOST_TOKENS, sequence.left - 1)
        extra = self._token_seconds / self._gain.cost.of(1) if self._token_seconds else 0.0
        count = self._gain.take(rate.right / rate.tried, most, extra)
        rate.idle = 0 if count else rate.idle + 1
        if rate.idle > _RETRY:
            rate.idle = 0
            return min(1, most)
        return count

    def draft(self, chunks: ListOf[Chunk]) -> None:
        """See `Drafter`."""
        begun = time.perf_counter()
        guessed = 0
        while growing := [chunk for chunk in chunks if len(chunk.draft) < chunk.draft_room]:
            last = [chunk.draft[-1] if chunk.draft else chunk.sequence.ids[-1] for chunk in growing]
            spans = [
                Span(1, chunk.sequence.computed + 1 + len(chunk.draft), chunk.sequence.block_table) for chunk in growing
            ]
            hidden = self._runner(ForwardBatch(torch.tensor(last), PagedBatch(spans)))
            for chunk, token in zip(growing, self.model.logits(hidden).argmax(-1).tolist(), strict=True):
                chunk.draft.append(token)
            guessed += 1
        if guessed:
            self._token_seconds = (time.perf_counter() - begun) / guessed

    def follow(self, batch: ForwardBatch) -> None:
        """See `Drafter`. Images are seen by the large model only."""
        self._runner(replace(batch, images=None))

    def learn(self, chunk: Chunk, drawn: ListOf[Sampled]) -> None:
        """See `Drafter`."""
        if chunk.draft and drawn:
            right = len(drawn) - 1
            self._rates[chunk.sequence].learn(right, min(right + 1, len(chunk.draft)))

    def record(self, rows: int, seconds: float) -> None:
        """See `Drafter`."""
        self._gain.cost.record(rows, seconds)

    def copy_block(self, source: int, target: int) -> None:
        """See `Drafter`."""
        self.cache.copy_block(source, target)

    def forget(self, sequence: Sequence) -> None:
        """See `Drafter`."""
        self._rates.pop(sequence, None)
