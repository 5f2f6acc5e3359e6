"""How much repetition is too much: sums that repetition raises and novelty lowers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LoopKind = Literal["loop", "list", "vocabulary"]


@dataclass(frozen=True)
class Budget:
    """One sum over the units of the text, never below 0; above the limit the text is held to be endless."""

    kind: LoopKind
    limit: float
    weights: tuple[float, ...]  # what each `Novelty` adds, in its order


# The sum must also reach this many times the distance of what is repeated: a long text that is said twice (a file, and
# the mended file) is sound; its third time is not.
TURNS = 2

# The more exact the repetition, the less of it is taken. Chosen on one half of the corpus (docs/repetition.md).
BUDGETS = (
    # The same again, or nearly so: one new word costs what 25 repeated ones bring.
    Budget("loop", 300, (1, 0.5, -12, 0, -6, -3, -12, -12, -20, -12, -25)),
    # The same but for numbers that count, or with a larger part of new words, for much longer.
    Budget("list", 1000, (1, 0.5, 0.5, 0, -2, -2, -4, -5, -8, -5, -10)),
    # The same few words in ever another order: what penalties such as DRY make of a loop.
    Budget("vocabulary", 600, (1, 0, -1, 0, 1, 0, -5, 0.5, -10, -5, -5)),
)
