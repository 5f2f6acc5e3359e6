"""Calls as v11 and v13 write them: name, [CALL_ID] and id (v11 only), [ARGS] and the arguments."""

from __future__ import annotations

import re
from typing import Literal

from mistralet.chat.call_events import CallEvents
from mistralet.chat.call_tokens import CallTokens
from mistralet.chat.json_span import JsonSpan
from mistralet.chat.names import CHARACTERS, LONGEST

_NAME = re.compile(rf"\s*[{CHARACTERS}]{{0,{LONGEST}}}\s*")


class NamedReader:
    """Reads what follows [TOOL_CALLS] if it begins with a name."""

    def __init__(self, events: CallEvents, tokens: CallTokens) -> None:
        self._events = events
        self._tokens = tokens
        # "object": of the arguments; "anything": what stands in its place, up to the next control token.
        self._at: Literal["name", "id", "arguments", "object", "anything", "end"] = "name"
        self._name = ""
        self._id: str | None = None
        self._span = JsonSpan()  # of the object

    def push(self, text: str) -> None:
        """The next text."""
        for place, character in enumerate(text):
            if self._at in ("name", "id") and character == "{":
                self._start("[ARGS] is missing before the arguments.")
            if self._at == "name" and not _NAME.fullmatch(self._name + character):
                self._at = "end"
                self._events.stray_text(self._name)
            if self._at == "end":
                self._events.stray_text(text[place:])
                return
            self._take(character)

    def control(self, token_id: int) -> None:
        """A control token."""
        if token_id == self._tokens.call_id and self._at == "name" and self._name.strip():
            self._at, self._id = "id", ""
            if not self._tokens.writes_ids:
                self._events.control_token(token_id)
        elif token_id == self._tokens.arguments and self._at in ("name", "id"):
            self._start()
        else:
            self._events.control_token(token_id)

    def finish(self, was_cut: bool) -> None:
        """The answer ends, or another [TOOL_CALLS] follows.

        Args:
            was_cut: the model was kept from going on.
        """
        if was_cut:
            return
        if self._at in ("name", "id"):
            self._start("[ARGS] is missing after the name.")
        if self._at == "object":
            self._events.end(missing="The call is not whole: its arguments do not end.")
        elif self._at != "end":
            self._events.end()

    def _start(self, problem: str = "") -> None:
        name = self._name.strip()
        if not name:
            self._at = "end"
            self._events.problem("A call without a name is left out; what follows is text.")
            return
        self._at = "arguments"
        self._events.start(name, self._id if self._tokens.writes_ids else None)
        if problem:
            self._events.call_problem(problem)

    def _take(self, character: str) -> None:
        if self._at == "name":
            self._name += character
        elif self._at == "id":
            self._id = (self._id or "") + character
        else:
            if self._at == "arguments" and not character.isspace():
                self._at = "object" if character == "{" else "anything"
            if self._at != "arguments":
                self._events.arguments(character)
            if self._at == "object" and self._span.push(character) == "last":
                self._at = "end"
                self._events.end()
