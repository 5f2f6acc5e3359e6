"""`StopStrings`: finds where a text that comes in pieces must end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable


class StopStrings:
    """Passes a text on, piece by piece, up to the first stop string, of which nothing is ever shown.

    What may still become a stop string is held back, and no more. The stop string that is complete first counts; of
    those complete at the same character, the longest. The time taken is linear in the text: each character moves one
    step through the automaton of Aho and Corasick (1975, "Efficient string matching").
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self.matched: str | None = None  # the stop string that ended the text
        self._automaton = _Automaton(stops)
        self._state = 0
        self._held = ""  # as long as the part of a stop string that the text ends in

    def push(self, text: str) -> str:
        """The text that may be shown now. After a match there is no more."""
        if self.matched is not None or not self._automaton.stops:
            return text if self.matched is None else ""
        for place, character in enumerate(text):
            self._state = self._automaton.step(self._state, character)
            self.matched = self._automaton.longest_match[self._state]
            if self.matched is not None:
                whole = self._held + text[: place + 1]
                self._held = ""
                return whole[: len(whole) - len(self.matched)]
        whole = self._held + text
        shown = len(whole) - self._automaton.depth[self._state]
        self._held = whole[shown:]
        return whole[:shown]

    def finish(self) -> str:
        """What is still held back, now that no more text comes."""
        held, self._held, self._state = self._held, "", 0
        return held


class _Automaton:
    """A state is the longest end of the text that some stop string begins with; state 0 is none."""

    def __init__(self, stops: Iterable[str]) -> None:
        self.stops = tuple(stops)
        self.depth = [0]  # length of that end of the text
        self.longest_match: list[str | None] = [None]  # that the text ends in
        self._next: list[dict[str, int]] = [{}]
        self._shorter = [0]  # the state of the longest shorter end
        for stop in self.stops:
            self._add(stop)
        self._link()

    def _add(self, stop: str) -> None:
        state = 0
        for character in stop:
            if character not in self._next[state]:
                self._next[state][character] = len(self.depth)
                self.depth.append(self.depth[state] + 1)
                self.longest_match.append(None)
                self._next.append({})
                self._shorter.append(0)
            state = self._next[state][character]
        self.longest_match[state] = stop

    def _link(self) -> None:
        # By depth: what a state links to is shorter, hence done before.
        waiting = deque(self._next[0].values())
        while waiting:
            state = waiting.popleft()
            shorter = self._shorter[state]
            self.longest_match[state] = self.longest_match[state] or self.longest_match[shorter]
            for character, child in self._next[state].items():
                self._shorter[child] = self.step(shorter, character)
                waiting.append(child)

    def step(self, state: int, character: str) -> int:
        while state and character not in self._next[state]:
            state = self._shorter[state]
        return self._next[state].get(character, 0)
