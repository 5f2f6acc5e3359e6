"""`ChatRequest`: a conversation, the tools the model may call, and what its answer must fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mistralet.chat.messages import Message


@dataclass(frozen=True)
class Tool:
    """A function the model may call, as it is told of it."""

    name: str  # letters, digits, _ and -; at most 64
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})  # JSON Schema
    # Whether the schema must be held to in full. Otherwise keywords that decoding cannot hold to are left out there.
    strict: bool = False


@dataclass(frozen=True)
class NamedTool:
    """The choice of one tool, which the model must call."""

    name: str


# "auto": the model calls or talks; "none": it talks; "required": it calls one tool at least.
ToolChoice = Literal["auto", "none", "required"] | NamedTool


@dataclass(frozen=True)
class ChatRequest:
    """What a chat template turns into a prompt."""

    messages: Sequence[Message]
    tools: Sequence[Tool] = ()
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True  # several calls in one turn
    # A JSON schema that the text of the answer must fit; calls have their own.
    answer_schema: dict[str, Any] | bool | None = None
