"""The values of a JSON text, with their places in it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

Scalar = str | int | float | bool | None

_SPACE = re.compile(r"[ \t\r\n]*")
_scan = json.JSONDecoder().raw_decode


@dataclass(frozen=True)
class Leaf:
    """A value that is no object or array: `text[start:end]`, without the quotation marks of a text."""

    path: tuple[str | int, ...]  # names and numbers that lead to it
    value: Scalar
    start: int
    end: int


def leaves(text: str) -> list[Leaf]:
    """All values of a valid JSON text, in order. Raises `ValueError` if it is not valid."""
    json.loads(text)
    found: list[Leaf] = []
    _walk(text, _skip(text, 0), (), found)
    return found


def dotted(path: tuple[str | int, ...]) -> str:
    """A path as people write it: `items[0].price`."""
    written = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return written.removeprefix(".")


def leaves_of(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Scalar]]:
    """The path and value of each leaf of what a JSON text was parsed to."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves_of(part, (*path, name))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from leaves_of(part, (*path, place))
    else:
        assert value is None or isinstance(value, str | int | float | bool)
        yield path, value


def _walk(text: str, place: int, path: tuple[str | int, ...], found: list[Leaf]) -> int:
    """Note the leaves of the value at `place`; where it ends."""
    if text[place] == "{":
        place = _skip(text, place + 1)
        while text[place] != "}":
            name, place = _scan(text, place)
            place = _skip(text, _skip(text, place) + 1)  # over the colon
            place = _comma(text, _walk(text, place, (*path, name), found))
        return place + 1
    if text[place] == "[":
        place, count = _skip(text, place + 1), 0
        while text[place] != "]":
            place = _comma(text, _walk(text, place, (*path, count), found))
            count += 1
        return place + 1
    value, end = _scan(text, place)
    quoted = isinstance(value, str)
    found.append(Leaf(path, value, place + quoted, end - quoted))
    return end


def _comma(text: str, place: int) -> int:
    place = _skip(text, place)
    return _skip(text, place + 1) if text[place] == "," else place


def _skip(text: str, place: int) -> int:
    space = _SPACE.match(text, place)
    assert space is not None
    return space.end()
