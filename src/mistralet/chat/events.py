"""The parts of the assistant's turn, in the order in which they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mistralet.engine.request import FinishReason, RequestStats


@dataclass(frozen=True)
class ContentDelta:
    """A piece of the text."""

    text: str


@dataclass(frozen=True)
class ToolCallStart:
    """A call begins. `index` counts the calls of the turn from 0."""

    index: int
    id: str
    name: str


@dataclass(frozen=True)
class ArgumentsDelta:
    """A piece of the arguments of the call `index`, which joined are a JSON object."""

    index: int
    text: str


@dataclass(frozen=True)
class FormatProblem:
    """What the model wrote does not follow its template; how it was read, in one sentence.

    `index` is the call it concerns, if it does one. Nothing is repaired without such an event.
    """

    problem: str
    index: int | None = None


ChatFinishReason = FinishReason | Literal["tool_calls"]


@dataclass(frozen=True)
class Finish:
    """The end of the turn. "tool_calls": it holds calls, and the last is complete."""

    reason: ChatFinishReason
    stats: RequestStats | None = None  # None where a server does not tell them
    error: str | None = None
    stop_string: str | None = None  # that ended it, where that is told


ChatEvent = ContentDelta | ToolCallStart | ArgumentsDelta | FormatProblem | Finish
