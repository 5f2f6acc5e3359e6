"""`StepCost`: what a step costs, by the number of rows in it, as measured while the engine runs."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

# Steps of one size that are remembered. What disturbs a step only makes it longer, so that the lower quarter of them
# says what such a step costs: a few slow ones, the first among them, change nothing.
_REMEMBERED = 9
# A size that did not come for so many steps is forgotten, so that one that was measured while the machine was busy, and
# is avoided since, is tried again.
_FORGOTTEN_AFTER = 256
# What another row costs before it was ever tried, as a part of a step with one row.
_FIRST_GUESS = 0.2


class StepCost:
    """Seconds of a step that decodes, over its number of rows."""

    def __init__(self) -> None:
        self._seconds: dict[int, deque[float]] = {}
        self._latest: dict[int, int] = {}  # for each size, the number of its last step
        self._steps = 0
        self._known: list[tuple[int, float]] = []  # rows and their cost, by rows, never falling

    def record(self, rows: int, seconds: float) -> None:
        """Take a step into account."""
        self._seconds.setdefault(rows, deque(maxlen=_REMEMBERED)).append(seconds)
        self._steps += 1
        self._latest[rows] = self._steps
        for size in [size for size, step in self._latest.items() if step <= self._steps - _FORGOTTEN_AFTER]:
            del self._latest[size], self._seconds[size]
        lowest, known = float("inf"), []
        for size in sorted(self._seconds, reverse=True):
            steps = sorted(self._seconds[size])
            lowest = min(lowest, steps[len(steps) // 4])  # fewer rows never cost more: such steps were disturbed
            known.append((size, lowest))
        self._known = known[::-1]

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
