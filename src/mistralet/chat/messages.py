"""What goes into a chat template; a `Prompt` comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True)
class TextPart:
    """A piece of text in a message."""

    text: str


@dataclass(frozen=True)
class ImagePart:
    """A picture in a message of the user."""

    data: bytes  # of its file
    frame: int = 0  # which page of a TIFF file


Part = TextPart | ImagePart


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool that the model asks for."""

    id: str  # as the caller knows it; any text that no other call of the message has
    name: str
    arguments: str  # a JSON object, as the model wrote it


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str | tuple[Part, ...] = ""
    tool_calls: tuple[ToolCall, ...] = ()  # of the assistant, after its content
    tool_call_id: str | None = None  # of a tool: the call whose result the content is
    prefix: bool = False  # of the assistant, last of all: the answer is to go on from here

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts, whichever way it was given."""
        return (TextPart(self.content),) if isinstance(self.content, str) else self.content
