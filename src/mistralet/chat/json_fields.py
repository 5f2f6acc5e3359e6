"""Fields of JSON objects that a caller sent, read so that every error names the place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mistralet.errors import MistraletError

_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class Fields:
    """One object of a caller's JSON. Its methods raise `error` where a field is not what it should be."""

    values: dict[str, Any]
    place: str  # such as "messages[3].tool_calls[0]"
    error: type[MistraletError]

    def get(self, key: str) -> Any:
        """Whatever the field holds; None if it is missing."""
        return self.values.get(key)

    def text(self, key: str) -> str:
        """A field that must be there, and a text."""
        value = self.optional_text(key)
        if value is None:
            raise self.error(f"{self.place}.{key} is missing; give a text")
        return value

    def optional_text(self, key: str) -> str | None:
        """A text, or None if the field is missing or null."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            raise self.error(f"{self.place}.{key} is {kind_of(value)}; give a text")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false if the field is missing or null."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(f"{self.place}.{key} is {kind_of(value)}; give true or false")
        return bool(value)

    def inner(self, key: str) -> Fields:
        """A field that must be there, and an object."""
        return as_fields(self.values.get(key), f"{self.place}.{key}", self.error)

    def elements(self, key: str) -> list[Fields]:
        """A field that must be there, and a list of objects."""
        return elements(self.values.get(key), f"{self.place}.{key}", self.error)


def elements(value: object, place: str, error: type[MistraletError]) -> list[Fields]:
    """The objects in a list. Raises `error` if it is none, or holds something else."""
    if not isinstance(value, list | tuple):
        raise error(f"{place} is {kind_of(value)}; give a list of objects")
    return [as_fields(item, f"{place}[{index}]", error) for index, item in enumerate(value)]


def as_fields(value: object, place: str, error: type[MistraletError]) -> Fields:
    """The fields of an object. Raises `error` if `value` is none."""
    if not isinstance(value, dict):
        raise error(f"{place} is {kind_of(value)}; give an object")
    return Fields(value, place, error)


def kind_of(value: object) -> str:
    """What a value is in the words of JSON, to be read after "is"."""
    return "missing" if value is None else _KINDS.get(type(value), f"a {type(value).__name__}")
