"""`JsonSpan`: where a JSON value ends in a text that comes character by character."""

from __future__ import annotations

from typing import Literal

# "last": the character is the value's last; "beyond": the value ended before it, as only numbers and words can.
Place = Literal["inside", "last", "beyond"]

_OPENING, _CLOSING = "{[", "}]"
_AFTER_WORD = ",:]}"


class JsonSpan:
    """Follows one value from its first character on.

    It looks at quotes and brackets only; whether what is between them is JSON, a reader of JSON will say.
    """

    def __init__(self) -> None:
        self._depth = 0  # of brackets
        self._in_string = False
        self._escaped = False  # the next character, by a backslash
        self._is_word = False  # a number, true, false or null

    def push(self, character: str) -> Place:
        """Where the next character is."""
        if self._in_string:
            return self._push_in_string(character)
        if self._is_word:
            return "beyond" if character.isspace() or character in _AFTER_WORD else "inside"
        if character == '"':
            self._in_string = True
        elif character in _OPENING:
            self._depth += 1
        elif character in _CLOSING:
            self._depth -= 1
            return "last" if self._depth <= 0 else "inside"
        elif self._depth == 0:
            self._is_word = True
        return "inside"

    def _push_in_string(self, character: str) -> Place:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False
            return "last" if self._depth == 0 else "inside"
        return "inside"
