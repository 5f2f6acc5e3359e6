"""How new each unit of a text is, given the text before it.

A pointer runs through the earlier text beside the end, as in a match model of data compression: the unit it points to
is the one that an exact repetition would bring next. A few wrong units do not lift it, so a loop with a word changed
in each turn still counts as followed.
"""

from __future__ import annotations

import copy
from enum import IntEnum

from mistralet.engine.repetition.units import Kind

WINDOW = 4096  # units that are remembered at least, and twice as many at most; periods up to this are seen
_MISSES = 8  # units in a row the pointer may be wrong before it is lifted
RECENT = 400  # units; of prose, a quarter of the words is older than this
_SMOOTHING = 64  # units over which the distance is averaged
_SETTLED = 3  # units in a row after which it is not moved elsewhere


class Novelty(IntEnum):
    """From nothing new to entirely new; the columns of the budgets."""

    FOLLOWED_WORD = 0  # as the pointer said
    FOLLOWED_MARK = 1  # the same, of marks, numbers and white space
    COUNTED = 2  # a number that goes on as the column above it went
    SPACE = 3  # white space, but of another length
    MIXED_WORD = 4  # known after the unit before it, but not what the pointer said
    MIXED_MARK = 5
    MIXED_NUMBER = 6
    NEW_PAIR = 7  # known, but not after the unit before it
    NUMBER = 8  # any other number
    OLD = 9  # known, but not among the last `RECENT` units
    NEW = 10  # not in the window


# Plain whole numbers: comparing members of an enumeration would be half of the cost of a token.
_NUMBER, _SPACE = int(Kind.NUMBER), int(Kind.SPACE)
_FOLLOWED_WORD, _FOLLOWED_MARK, _COUNTED, _SPACED = range(4)
_MIXED_WORD, _MIXED_MARK, _MIXED_NUMBER, _NEW_PAIR, _NEW_NUMBER, _OLD, _NEW = range(4, 11)


class NoveltyModel:
    """Judges units one by one. Memory is bounded by the window."""

    def __init__(self) -> None:
        self.size = 0  # units so far
        self.pointer = -1  # the unit predicted next, counted from the first one; -1: none
        self.distance = 0.0  # units between the end and what is followed, smoothed
        self._base = 0  # number of the first unit that is remembered
        self._units: list[bytes] = []
        self._steps: list[int] = []  # of numbers: how far from the number the pointer was at
        self._known: dict[bytes, int] = {}  # unit -> where it was last
        self._pairs: dict[tuple[bytes, bytes], int] = {}  # unit before, unit -> where
        self._contexts: dict[tuple[bytes, bytes, bytes], int] = {}  # shapes of three units -> what came after
        self._shapes = (b"", b"")  # of the two units before
        self._after_space = False
        self._followed = 0  # units in a row
        self._missed = 0

    def push(self, kind: int, unit: bytes) -> int:
        """Take the next unit and say how new it is (a `Novelty`, as a plain number)."""
        pointer = self._catch_up(unit)
        predicted = self._units[pointer - self._base] if pointer >= 0 else b""
        before, last = self._shapes
        shape, step = unit, 0
        if kind == _NUMBER:
            shape = b"0"
            if predicted.isdigit():
                step = int(unit) - int(predicted)
        elif kind == _SPACE:
            shape = b"\n" if b"\n" in unit else b"\t"

        follows_space = kind == _SPACE and self._after_space
        if follows_space or predicted == unit:
            novelty = _FOLLOWED_MARK if kind else _FOLLOWED_WORD
        elif step and (step in (1, -1) or step == self._steps[pointer - self._base]):
            novelty = _COUNTED
        else:
            novelty = self._compare(kind, unit, last)

        if novelty <= _COUNTED:
            self._followed += 1
            self._missed = 0
            behind = 1 if follows_space else self.size - pointer
            self.distance += (behind - self.distance) / _SMOOTHING
        else:
            self._followed = 0
            self._missed += 1
        self._known[unit] = self._pairs[last, unit] = self.size
        self._units.append(unit)
        self._steps.append(step)
        self._shapes = (last, shape)
        self._after_space = kind == _SPACE
        self.size += 1
        self._move_on(pointer, (before, last, shape))
        return novelty

    def _catch_up(self, unit: bytes) -> int:
        """The pointer, moved by one if a unit was put in or left out."""
        pointer, place = self.pointer, self.pointer - self._base
        if place > 0 and self._units[place] != unit and (self._missed or self._followed >= _SETTLED):
            if self._units[place - 1] == unit:
                return pointer - 1
            if self._units[place + 1 : place + 2] == [unit]:
                return pointer + 1
        return pointer

    def _compare(self, kind: int, unit: bytes, last: bytes) -> int:
        """How new a unit is that is not what the pointer says."""
        if kind == _SPACE:
            return _SPACED
        if kind == _NUMBER:
            return _MIXED_NUMBER if (last, unit) in self._pairs else _NEW_NUMBER
        known = self._known.get(unit)
        if known is None:
            return _NEW
        if self.size - known > RECENT:
            return _OLD
        if (last, unit) not in self._pairs:
            return _NEW_PAIR
        return _MIXED_MARK if kind else _MIXED_WORD

    def _move_on(self, pointer: int, context: tuple[bytes, bytes, bytes]) -> None:
        self.pointer = pointer + 1 if pointer >= 0 and self._missed <= _MISSES else -1
        if self._followed < _SETTLED:
            self.pointer = self._contexts.get(context, self.pointer)
        self._contexts[context] = self.size
        if len(self._units) == 2 * WINDOW:
            self._forget()

    def fork(self) -> NoveltyModel:
        """A copy that goes its own way."""
        twin = copy.copy(self)
        twin._units, twin._steps = self._units.copy(), self._steps.copy()
        twin._known, twin._pairs, twin._contexts = self._known.copy(), self._pairs.copy(), self._contexts.copy()
        return twin

    def _forget(self) -> None:
        """Drop the older half of what is remembered."""
        self._base += WINDOW
        del self._units[:WINDOW], self._steps[:WINDOW]
        self._known = {key: place for key, place in self._known.items() if place >= self._base}
        self._pairs = {key: place for key, place in self._pairs.items() if place >= self._base}
        self._contexts = {key: place for key, place in self._contexts.items() if place >= self._base}
        if self.pointer < self._base:
            self.pointer = -1
