"""What a flow over documents tells while it works; its result comes last."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Planned:
    """How the work will be done: one sentence for people, before anything is asked of the model."""

    plan: str


@dataclass(frozen=True)
class Progress:
    """How far a stage is."""

    stage: str  # such as "Reading pages"
    done: int
    total: int


@dataclass(frozen=True)
class TextDelta:
    """A piece of the text that is being written."""

    text: str


FlowEvent = Planned | Progress | TextDelta
