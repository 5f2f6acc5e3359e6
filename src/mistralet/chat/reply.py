"""`Reply`: the parts of the assistant's turn put together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mistralet.chat.events import ArgumentsDelta, ChatEvent, ContentDelta, Finish, ToolCallStart
from mistralet.chat.messages import ToolCall


@dataclass
class Reply:
    """What has come of a turn."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    finish: Finish = field(default_factory=lambda: Finish("error"))  # an error until the turn has ended
    pieces: int = 0  # about as many as tokens

    def add(self, event: ChatEvent) -> None:
        """The next part."""
        match event:
            case ContentDelta(text):
                self.text += text
                self.pieces += 1
            case ToolCallStart(_, call_id, name):
                self.calls.append(ToolCall(call_id, name, ""))
                self.pieces += 1
            case ArgumentsDelta(index, text):
                call = self.calls[index]
                self.calls[index] = replace(call, arguments=call.arguments + text)
                self.pieces += 1
            case Finish():
                self.finish = event
