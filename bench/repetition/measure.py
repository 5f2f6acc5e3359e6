"""What a detector makes of a text, and how good it is over many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from bench.repetition.corpus import Sample

# Of a text without end, so many tokens are shown.
SHOWN = 12_000


class Detector(Protocol):
    """Takes the tokens of one text; anything but "ok" is an alarm."""

    def push(self, token_id: int) -> str:
        """The verdict after one more token."""


@dataclass(frozen=True)
class Tokenised:
    """A sample in tokens."""

    name: str
    seed: int
    ids: Sequence[int]
    onset: int | None  # the tokens before it begins to repeat; None: it is sound


@dataclass(frozen=True)
class Outcome:
    """What came of a sample."""

    name: str
    seed: int
    onset: int | None
    found: int | None  # the tokens when the alarm came; None: there was none

    @property
    def is_wrong(self) -> bool:
        """Whether an endless text was let through or a sound one stopped."""
        return (self.found is None) == (self.onset is not None)


@dataclass(frozen=True)
class Score:
    """Of many outcomes."""

    endless: int
    found: int
    sound: int
    stopped: int
    median_tokens: float  # from where it begins to repeat to the alarm, over the endless texts that were found

    @property
    def recall(self) -> float:
        """The part of the endless texts that was found."""
        return self.found / self.endless if self.endless else 1.0

    @property
    def precision(self) -> float:
        """The part of the alarms that was right."""
        alarms = self.found + self.stopped
        return self.found / alarms if alarms else 1.0

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Score:
        """Count."""
        endless = [outcome for outcome in outcomes if outcome.onset is not None]
        waits = [outcome.found - (outcome.onset or 0) for outcome in endless if outcome.found is not None]
        sound = [outcome for outcome in outcomes if outcome.onset is None]
        stopped = sum(outcome.found is not None for outcome in sound)
        return cls(len(endless), len(waits), len(sound), stopped, median(waits) if waits else 0.0)


def tokenise(sample: Sample, encode: Callable[[str], list[int]]) -> Tokenised:
    """A sample in a vocabulary."""
    onset = None if sample.onset is None else len(encode(sample.text[: sample.onset]))
    ids = encode(sample.text)
    return Tokenised(sample.name, sample.seed, ids[:SHOWN] if onset is not None else ids, onset)


def measure(detector: Callable[[], Detector], sample: Tokenised) -> Outcome:
    """Show a sample to a new detector, token by token, until it raises an alarm."""
    watchdog = detector()
    found = next((place for place, token in enumerate(sample.ids, 1) if watchdog.push(token) != "ok"), None)
    return Outcome(sample.name, sample.seed, sample.onset, found)
