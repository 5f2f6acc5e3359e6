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
class ScoredToken:
    """A token of the answer, and how sure the model was of it."""

    data: bytes  # of UTF-8; parts of characters where a token is one
    logprob: float  # by the model's own scores, whatever the answer had to fit


@dataclass(frozen=True)
class ScoredTokens:
    """Tokens that were drawn, where `SamplingParams.logprobs` asks for them.

    They come apart from the text, which is held back while it may be the beginning of a stop string.
    """

    tokens: tuple[ScoredToken, ...]


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


ChatEvent = ContentDelta | ScoredTokens | ToolCallStart | ArgumentsDelta | FormatProblem | Finish
