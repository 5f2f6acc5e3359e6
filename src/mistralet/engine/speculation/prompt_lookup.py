"""`PromptLookup`: guesses that a text goes on as it did before (Saxena 2023, "Prompt Lookup Decoding")."""

from __future__ import annotations

from collections.abc import Sequence as ListOf
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mistralet.engine.speculation.drafter import MOST_TOKENS, Drafter, StepGain

if TYPE_CHECKING:
    from mistralet.engine.sampling import Sampled
    from mistralet.engine.scheduler import Chunk
    from mistralet.engine.sequence import Sequence

_KEY = 2  # tokens that must be the same
_PLACES = 8  # earlier ones, the latest, that are compared
_LONGEST_MATCH = 24
# A copy that was left for a moment (a name replaced, a line broken) goes on where the original has the token that came
# last, if a match of more than `_KEY` tokens does not know better.
_RESUME_WITHIN = 8  # tokens of the original after the place where it was left
_RESUME_AFTER = 8  # tokens of the answer, at most
# How likely the next token is the same, by how many tokens before it are: from this length on, at first. The last rate
# is that of a resumed copy. All are then learned for each sequence.
_LENGTHS = (2, 3, 4, 6, 10, 16)
_RESUMED = len(_LENGTHS)
_RATES = (0.15, 0.45, 0.55, 0.7, 0.85, 0.9, 0.4)
_PRIOR = 4.0  # guesses that the first rates weigh as much as
_DECAY = 0.95  # of what was learned, with each guess


class NgramIndex:
    """Where short runs of tokens were in a growing list of ids."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, ...], list[int]] = {}  # a run, and the places after it
        self._indexed = 0

    def find(self, ids: ListOf[int]) -> tuple[int, int]:
        """The place after the longest earlier run that equals the end of `ids`, and its length; (0, 0) for none."""
        for end in range(max(self._indexed, _KEY), len(ids)):
            self._places.setdefault(tuple(ids[end - _KEY : end]), []).append(end)
        self._indexed = max(self._indexed, len(ids))
        best, longest = 0, 0
        for place in reversed(self._places.get(tuple(ids[-_KEY:]), [])[-_PLACES:]):
            length = _KEY
            while length < min(place, _LONGEST_MATCH) and ids[place - 1 - length] == ids[-1 - length]:
                length += 1
            if length > longest:
                best, longest = place, length
        return best, longest


@dataclass
class _State:
    """What is known of one sequence."""

    index: NgramIndex = field(default_factory=NgramIndex)
    right: list[float] = field(default_factory=lambda: [rate * _PRIOR for rate in _RATES])
    tried: list[float] = field(default_factory=lambda: [_PRIOR] * len(_RATES))
    guess: list[int] = field(default_factory=list)
    place: int = 0  # where the guess comes from
    kind: int = 0  # of the match that led there: its place in _LENGTHS, or _RESUMED
    left_at: int = 0  # the place after what was copied last
    since: int = _RESUME_AFTER  # tokens that came after that

    def look(self, ids: ListOf[int]) -> None:
        """Guess what follows `ids`."""
        self.place, match = self.index.find(ids)
        self.kind = sum(match >= length for length in _LENGTHS) - 1
        if match <= _KEY and self.since < _RESUME_AFTER:
            end = min(self.left_at + _RESUME_WITHIN, len(ids) - 1)
            resumed = next((place + 1 for place in range(self.left_at, end) if ids[place] == ids[-1]), 0)
            if resumed:
                self.place, self.kind = resumed, _RESUMED
        self.guess = list(ids[self.place : self.place + MOST_TOKENS]) if self.place else []

    def rate(self) -> float:
        return self.right[self.kind] / self.tried[self.kind]

    def learn(self, right: int, wrong: int) -> None:
        if right:
            self.left_at, self.since = self.place + right, 0
        self.right[self.kind] = self.right[self.kind] * _DECAY + right
        self.tried[self.kind] = self.tried[self.kind] * _DECAY + right + wrong


class PromptLookup(Drafter):
    """Finds the end of each sequence again in the sequence itself.

    A guess that does not pay is not run, but it is still compared with what came: so learning costs nothing, and
    guessing comes back when it would pay.
    """

    def __init__(self) -> None:
        self._gain = StepGain()
        self._states: dict[Sequence, _State] = {}

    def begin(self, decoding: int) -> None:
        """See `Drafter`."""
        self._gain.begin(decoding)

    def length(self, sequence: Sequence) -> int:
        """See `Drafter`."""
        state = self._states.get(sequence)
        if state is None:
            state = self._states[sequence] = _State()
        state.look(sequence.ids)
        if not state.guess:
            return 0
        return self._gain.take(state.rate(), min(len(state.guess), sequence.left - 1))

    def draft(self, chunks: ListOf[Chunk]) -> None:
        """See `Drafter`."""
        for chunk in chunks:
            if chunk.draft_room:
                chunk.draft.extend(self._states[chunk.sequence].guess[: chunk.draft_room])

    def learn(self, chunk: Chunk, drawn: ListOf[Sampled]) -> None:
        """See `Drafter`."""
        state = self._states.get(chunk.sequence)
        if state is None or not drawn:
            return
        state.since += 1
        if not state.guess:
            return
        right = len(drawn) - 1 if chunk.draft else int(drawn[0].token == state.guess[0])
        # All that was guessed came: nothing is known of a token after it.
        state.learn(right, wrong=int(right < max(1, len(chunk.draft))))
        state.guess = []

    def record(self, rows: int, seconds: float) -> None:
        """See `Drafter`."""
        self._gain.cost.record(rows, seconds)

    def forget(self, sequence: Sequence) -> None:
        """See `Drafter`."""
        self._states.pop(sequence, None)
