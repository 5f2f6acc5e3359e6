"""The evidence for an alarm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mistralet.engine.repetition.budgets import LoopKind

_COMPARED = 2048  # tokens; longer periods than this are still found, but not measured


@dataclass(frozen=True)
class Finding:
    """Why an output is held to be endless. Places are counted in tokens of the output."""

    kind: LoopKind | Literal["pattern"]  # the budget that was overdrawn, or "pattern" for vLLM's rule
    began: int  # the tokens before the repetition
    found: int  # the tokens when it was found
    period: int  # the tokens of one turn, as far as there are turns
    similarity: float  # 0 to 1: the part of the tokens that equal the one a period before

    @property
    def repeats(self) -> float:
        """How many turns there were."""
        return (self.found - self.began) / self.period


def find_period(ids: Sequence[int]) -> tuple[int, float]:
    """The distance at which tokens equal each other most often, and how often they do (0 to 1)."""
    tail = np.array(ids[-2 * _COMPARED :])
    best, similarity = 1, 0.0
    for period in range(1, max(len(tail) // 2, 1) + 1):
        equal = float(np.mean(tail[period:] == tail[:-period])) if period < len(tail) else 0.0
        if equal > similarity + 0.01:  # a multiple of the period is no better
            best, similarity = period, equal
    return best, similarity
