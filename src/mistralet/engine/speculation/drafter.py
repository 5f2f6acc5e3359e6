"""`Drafter`: who guesses, and how far it pays to guess."""

from __future__ import annotations

from collections.abc import Sequence as ListOf
from typing import TYPE_CHECKING

from mistralet.engine.speculation.step_cost import StepCost

if TYPE_CHECKING:
    from mistralet.engine.sampling import Sampled
    from mistralet.engine.scheduler import Chunk
    from mistralet.engine.sequence import Sequence
    from mistralet.model import ForwardBatch

MOST_TOKENS = 16  # of a guess
# What a guess adds to the time of a step counts so many times over: it is known less well than the step without it, and
# a guess that only just pays is not worth the risk.
_CAUTION = 1.15


class Drafter:
    """Guesses what follows sequences that decode. This one guesses nothing."""

    def begin(self, decoding: int) -> None:
        """A step begins, in which so many sequences decode."""

    def length(self, sequence: Sequence) -> int:  # noqa: ARG002
        """How many tokens to guess for a sequence, so that room is made for them."""
        return 0

    def draft(self, chunks: ListOf[Chunk]) -> None:
        """Fill in the guesses of a step's chunks, at most as many tokens each as there is room for."""

    def follow(self, batch: ForwardBatch) -> None:
        """The model has run over a batch."""

    def learn(self, chunk: Chunk, drawn: ListOf[Sampled]) -> None:
        """A chunk led to these tokens: what of the guess was right, and one more."""

    def record(self, rows: int, seconds: float) -> None:
        """A step in which sequences only decoded had so many rows and took so long."""

    def copy_block(self, source: int, target: int) -> None:
        """A block of the cache was copied."""

    def forget(self, sequence: Sequence) -> None:
        """A sequence has ended."""


class StepGain:
    """How many tokens more pay, in a step that many sequences share."""

    def __init__(self) -> None:
        self.cost = StepCost()
        self._rows = 1
        self._tokens = 1.0  # expected of the step

    def begin(self, decoding: int) -> None:
        """A step begins with a row for each sequence that decodes."""
        self._rows, self._tokens = decoding, float(decoding)

    def take(self, likelihood: float, most: int, extra: float = 0.0) -> int:
        """How many tokens to add to the step, up to `most`, for the most tokens a second.

        Args:
            likelihood: of one guessed token, if those before it were right.
            extra: what guessing a token costs, as a part of a step with one row.
        """
        alone = self.cost.of(self._rows)
        best, gained, best_speed = 0, 0.0, self._tokens / alone
        expected, chance = 0.0, 1.0
        for count in range(1, most + 1):
            chance *= likelihood
            expected += chance
            added = self.cost.of(self._rows + count) - alone + extra * count * self.cost.of(1)
            speed = (self._tokens + expected) / (alone + _CAUTION * added)
            if speed > best_speed:
                best, gained, best_speed = count, expected, speed
        self._rows += best
        self._tokens += gained
        return best
