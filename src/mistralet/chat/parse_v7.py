"""Calls as v7 writes them: one JSON list of objects after [TOOL_CALLS]."""

from __future__ import annotations

from typing import Literal

from mistralet.chat.call_events import CallEvents
from mistralet.chat.object_reader import ObjectReader


class ListReader:
    """Reads what follows [TOOL_CALLS] if it begins with a bracket."""

    def __init__(self, events: CallEvents) -> None:
        self._events = events
        self._object: ObjectReader | None = None  # that has begun and is not whole
        self._at: Literal["begin", "first", "object", "comma", "end"] = "begin"
        self._has_bracket = False

    def push(self, text: str) -> None:
        """The next text."""
        for place, character in enumerate(text):
            if self._at == "end":
                self._events.stray_text(text[place:])
                return
            if not self._take(character):
                bracket = "[" if self._at == "first" else ""
                self._stop(was_cut=False)
                self._events.stray_text(bracket + text[place:])
                return

    def control(self, token_id: int) -> None:
        """A control token, which no list holds."""
        self._events.control_token(token_id)

    def finish(self, was_cut: bool) -> None:
        """The answer ends, or another [TOOL_CALLS] follows."""
        if self._at != "end":
            self._stop(was_cut)
            if not was_cut and self._has_bracket:
                self._events.problem("The list of calls does not end.")

    def _take(self, character: str) -> bool:
        if self._object is not None:
            return self._take_in_object(self._object, character)
        if character.isspace():
            return True
        match self._at, character:
            case "begin", "[":
                self._has_bracket, self._at = True, "first"
            case "begin", "{":
                self._events.problem("The call does not stand in a list.")
                self._begin_object(character)
            case (("first" | "object"), "{"):
                self._begin_object(character)
            case "comma", ",":
                self._at = "object"
            case (("first" | "object" | "comma"), "]"):
                if self._at != "comma":
                    self._events.problem("The list of calls is empty, or a comma stands before its end.")
                self._at = "end"
            case _:
                return False
        return True

    def _begin_object(self, bracket: str) -> None:
        self._at, self._object = "object", ObjectReader(self._events)
        self._object.push(bracket)

    def _take_in_object(self, reader: ObjectReader, character: str) -> bool:
        if not reader.push(character):
            return False
        if reader.is_done:
            self._at, self._object = "comma" if self._has_bracket else "end", None
        return True

    def _stop(self, was_cut: bool) -> None:
        self._at = "end"
        if self._object is not None:
            self._object.stop(was_cut)
