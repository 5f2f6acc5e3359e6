"""What an agent tells while it works, and what it gives in the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mistralet.agents.limits import EndReason, Used
from mistralet.chat import Message, ToolCall


@dataclass(frozen=True)
class RunStarted:
    """The tools are open. `run_id` is what the transcript knows the run by."""

    run_id: str
    model: str


@dataclass(frozen=True)
class TextDelta:
    """A piece of what the model says."""

    text: str


@dataclass(frozen=True)
class CallStarted:
    """The model begins to write a call."""

    call_id: str
    name: str


@dataclass(frozen=True)
class CallArguments:
    """A piece of a call's arguments."""

    call_id: str
    text: str


@dataclass(frozen=True)
class ModelProblem:
    """What the model wrote does not follow its template; how it was read."""

    problem: str


@dataclass(frozen=True)
class ConsentAsked:
    """A person is asked whether a call may run."""

    call: ToolCall


@dataclass(frozen=True)
class ToolStarted:
    """A call begins to run."""

    call: ToolCall


@dataclass(frozen=True)
class ToolResult:
    """What the model is told of a call; `seconds` is how long it ran."""

    call: ToolCall
    text: str
    is_error: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class StepEnd:
    """A turn of the model is over, its calls not yet begun."""

    step: int  # counted from 1
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class AgentResult:
    """How a run ended."""

    run_id: str
    text: str  # of the model's last turn
    reason: EndReason
    messages: Sequence[Message]  # the whole conversation; calls that a limit kept from running have no result in it
    used: Used


@dataclass(frozen=True)
class Finished:
    """The end of a run."""

    result: AgentResult


AgentEvent = (
    RunStarted
    | TextDelta
    | CallStarted
    | CallArguments
    | ModelProblem
    | ConsentAsked
    | ToolStarted
    | ToolResult
    | StepEnd
    | Finished
)
