"""`StepCost`: what a step costs, by the number of rows in it, as measured while the engine runs."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from statistics import median

# Steps of one size that are remembered: their median is what such a step costs.
_REMEMBERED = 9
# What another row costs before it was ever tried, as a part of a step with one row.
_FIRST_GUESS = 0.2


class StepCost:
    """Seconds of a step that decodes, over its number of rows."""

    def __init__(self) -> None:
        self._seconds: dict[int, deque[float]] = {}
        self._known: list[tuple[int, float]] = []  # rows and their cost, by rows, never falling

    def record(self, rows: int, seconds: float) -> None:
        """Take a step into account."""
        self._seconds.setdefault(rows, deque(maxlen=_REMEMBERED)).append(seconds)
        highest, known = 0.0, []
        for size in sorted(self._seconds):
            highest = max(highest, median(self._seconds[size]))  # more rows never cost less: that would be noise
            known.append((size, highest))
        self._known = known

    def of(self, rows: int) -> float:
        """What a step of so many rows costs: measured, between two that were, or from the nearest one."""
        known = self._known
        if not known:
            return 1 + _FIRST_GUESS * (rows - 1)
        place = bisect_right(known, (rows, float("inf")))
        if place == 0:
            return known[0][1]
        size, cost = known[place - 1]
        if size == rows:
            return cost
        if place < len(known):
            next_size, next_cost = known[place]
            return cost + (next_cost - cost) * (rows - size) / (next_size - size)
        return cost * (1 + _FIRST_GUESS * (rows - size) / size)
