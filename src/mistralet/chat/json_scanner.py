"""`JsonScanner`: finds where a JSON value ends in a text that comes in pieces."""

from __future__ import annotations

_SPACE = " \t\r\n"
# What ends a number or a word, and is not part of it.
_AFTER_SCALAR = ",]}" + _SPACE


class JsonScanner:
    """Passes over one value, which need not be valid; only brackets and strings are looked at.

    Space before the value belongs to it.
    """

    def __init__(self) -> None:
        self.is_done = False
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self._in_scalar = False

    def push(self, text: str) -> int:
        """How many characters of `text` belong to the value; all, while it is not done."""
        for place, character in enumerate(text):
            if self._in_scalar and character in _AFTER_SCALAR:
                self.is_done = True
                return place
            self._step(character)
            if self.is_done:
                return place + 1
        return len(text)

    def _step(self, character: str) -> None:
        if self._in_string:
            self._step_in_string(character)
        elif character == '"':
            self._in_string = True
        elif character in "{[":
            self._depth += 1
        elif character in "}]":
            self._depth -= 1
            self.is_done = self._depth <= 0
        elif self._depth == 0 and character not in _SPACE:
            self._in_scalar = True

    def _step_in_string(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False
            self.is_done = self._depth == 0
