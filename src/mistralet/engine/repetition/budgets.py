"""How much repetition is too much: budgets that repetition spends and novelty refills."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LoopKind = Literal["exact", "list", "vocabulary"]


@dataclass(frozen=True)
class Budget:
    """One sum over the units of the text, never below 0; above the limit the text is a loop."""

    kind: LoopKind
    limit: float
    turns: float  # the sum must also reach this many times the distance of what is repeated; 0: does not matter
    weights: tuple[float, ...]  # what each `Novelty` adds


#   followed word, mark, counted, space, mixed word, mark, number, new pair, number, new
BUDGETS = (
    Budget("exact", 300, 2, (1, 0.5, -12, 0, -6, -3, -12, -12, -20, -25)),
    Budget("list", 1000, 2, (1, 0.5, 0.5, 0, -2, -2, -4, -5, -8, -10)),
    Budget("vocabulary", 500, 2, (0.5, 0, -1, 0, 1, 0, -5, -2, -10, -30)),
)
