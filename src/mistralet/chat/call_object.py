"""`CallObject`: reads a call that is written as a JSON object of name and arguments."""

from __future__ import annotations

import json
import re

from mistralet.chat.json_scanner import JsonScanner
from mistralet.chat.json_values import dump
from mistralet.chat.open_turn import OpenCall, OpenTurn

_NAME_FIRST = re.compile(r'\s*\{\s*"name"\s*:\s*"([^"\\]*)"\s*,\s*"arguments"\s*:\s*(?=\{)')


class CallObject:
    """One object such as `{"name": "weather", "arguments": {"city": "Rome"}, "id": "abcdefghi"}`, in pieces.

    Where the name comes first, as the templates have it, the arguments are told as they come; otherwise once the object
    is whole.
    """

    def __init__(self, turn: OpenTurn) -> None:
        self._turn = turn
        self._text = ""
        self._scanner = JsonScanner()
        self._call: OpenCall | None = None

    @property
    def is_done(self) -> bool:
        """Whether the object has come to its end."""
        return self._scanner.is_done

    def push(self, text: str) -> str:
        """Take a piece; what is left of it after the object."""
        length = self._scanner.push(text)
        self._text += text[:length]
        if self._call is not None:
            self._call.push(text[:length])
        elif begun := _NAME_FIRST.match(self._text):
            self._call = self._turn.begin_call(begun[1])
            self._call.push(self._text[begun.end() :])
        if self.is_done:
            self.end()
        return text[length:]

    def end(self) -> None:
        """No more comes: tell what has not been told."""
        if self._call is not None:
            self._call.end()
        elif not self._tell_whole():
            self._turn.report(f"what stands for a call is none, and is left out: {_shortened(self._text)}")

    def _tell_whole(self) -> bool:
        try:
            members = json.loads(self._text)
        except (ValueError, RecursionError):
            return False
        if not isinstance(members, dict) or not isinstance(members.get("name"), str):
            return False
        call = self._turn.begin_call(members["name"], str(members.get("id", "")))
        arguments = members.get("arguments")
        if arguments is None and "parameters" in members:
            call.report("the call has 'parameters'; read as 'arguments'")
            arguments = members["parameters"]
        if isinstance(arguments, str):
            call.report("the arguments are JSON within a string; read as that JSON")
            call.push(arguments)
        elif arguments is not None:
            call.push(dump(arguments))
        call.end()
        return True


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
