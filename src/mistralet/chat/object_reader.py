"""`ObjectReader`: a call that is written as a JSON object, character by character."""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import Any

from mistralet.chat.call_events import CallEvents
from mistralet.chat.json_span import JsonSpan
from mistralet.chat.names import shown


class _At(Enum):
    BEGIN = auto()
    FIRST_KEY = auto()  # or the end
    KEY = auto()
    COLON = auto()
    VALUE = auto()
    COMMA = auto()  # or the end
    END = auto()


class ObjectReader:
    """Reads `{"name": ..., "arguments": {...}, "id": ...}`, its keys in any order.

    The call starts when its name is known: arguments before it are held back, an id counts only before it.
    """

    def __init__(self, events: CallEvents) -> None:
        self._events = events
        self._at = _At.BEGIN
        self._span: JsonSpan | None = None  # of the key or value that is being read
        self._read: list[str] = []  # of it
        self._key = ""
        self._streams = False  # the value that is being read is passed on as it comes
        self._name: str | None = None
        self._id: str | None = None
        self._has_arguments = False
        self._held: str | None = None  # arguments that came before the name
        self._early: list[str] = []  # problems that came before the name

    @property
    def has_begun(self) -> bool:
        """Whether its bracket has come."""
        return self._at is not _At.BEGIN

    @property
    def is_done(self) -> bool:
        """Whether the object is whole."""
        return self._at is _At.END

    def push(self, character: str) -> bool:
        """The next character. False if it cannot be where it is: then it was not taken, and nothing more can be."""
        if self._span is not None:
            return self._push_in_value(self._span, character)
        if character.isspace():
            return True
        match self._at, character:
            case _At.BEGIN, "{":
                self._at = _At.FIRST_KEY
                self._events.announce()
            case ((_At.FIRST_KEY | _At.KEY | _At.COMMA), "}"):
                if self._at is _At.KEY:
                    self._tell("A comma stands before the end of the call's object.")
                self._close()
            case _At.COLON, ":":
                self._at = _At.VALUE
            case _At.COMMA, ",":
                self._at = _At.KEY
            case ((_At.FIRST_KEY | _At.KEY), '"'):
                return self._push_in_value(self._begin(_At.KEY), character)
            case _At.VALUE, _ if character not in ",:]}":
                return self._push_in_value(self._begin(_At.VALUE, character), character)
            case _:
                return False
        return True

    def stop(self, was_cut: bool) -> None:
        """The answer ends, or goes on with something else, before the object is whole.

        Args:
            was_cut: the model was kept from going on.
        """
        if was_cut or self._at in (_At.BEGIN, _At.END):
            return
        if self._name is None:
            self._events.problem("A call without a name is left out: its object does not end.")
        else:
            self._events.end(missing="The call is not whole: its object does not end.")

    def _begin(self, at: _At, character: str = "") -> JsonSpan:
        self._at = at
        self._read = []
        is_arguments = at is _At.VALUE and self._takes_arguments
        if is_arguments and self._key == "parameters":
            self._tell("The arguments are called 'parameters'; they are read as 'arguments'.")
        self._streams = is_arguments and self._name is not None and character != '"'
        self._span = JsonSpan()
        return self._span

    @property
    def _takes_arguments(self) -> bool:
        return self._key in ("arguments", "parameters") and not self._has_arguments

    def _push_in_value(self, span: JsonSpan, character: str) -> bool:
        place = span.push(character)
        if place != "beyond":
            if self._streams:
                self._events.arguments(character)
            else:
                self._read.append(character)
        if place == "inside":
            return True
        self._span = None
        if self._at is _At.KEY:
            self._key, self._at = _text(self._read), _At.COLON
        else:
            self._at = _At.COMMA
            self._take_value()
        return self.push(character) if place == "beyond" else True

    def _take_value(self) -> None:
        if self._takes_arguments:
            self._has_arguments = True
            if self._name is None:
                self._held = "".join(self._read)
            elif not self._streams:
                self._pass_on("".join(self._read))
        elif self._key == "name" and self._name is None:
            self._start(_text(self._read))
        elif self._key == "id" and self._id is None:
            self._id = _text(self._read)
        else:
            self._tell(f"The key {shown(self._key)} is none of a call, or comes twice; it is left out.")

    def _start(self, name: str) -> None:
        self._name = name
        self._events.start(name, self._id)
        for problem in self._early:
            self._events.call_problem(problem)
        if self._held is not None:
            self._pass_on(self._held)

    def _pass_on(self, arguments: str) -> None:
        """Give out arguments that were held back."""
        value = _parsed(arguments)
        if isinstance(value, str):
            self._events.call_problem("The arguments are JSON within a text; they are taken out of it.")
            arguments = value
        self._events.arguments(arguments)

    def _tell(self, problem: str) -> None:
        if self._name is None:
            self._early.append(problem)
        else:
            self._events.call_problem(problem)

    def _close(self) -> None:
        self._at = _At.END
        if self._name is None:
            self._events.problem("A call without a name is left out.")
        else:
            self._events.end()


def _parsed(text: str) -> Any:
    """The value of JSON; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _text(pieces: list[str]) -> str:
    """A key, name or id; as it is written if it is no text."""
    written = "".join(pieces)
    value = _parsed(written)
    return value if isinstance(value, str) else written
