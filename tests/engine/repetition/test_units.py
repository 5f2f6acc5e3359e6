"""Tokens to units."""

from __future__ import annotations

import pytest

from mistralet.engine.repetition.units import Kind, TokenParts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b" word", [(Kind.WORD, b"word", False)]),
        (b"ing", [(Kind.WORD, b"ing", False)]),
        (b"s", [(Kind.WORD, b"s", True)]),
        (b"12", [(Kind.NUMBER, b"12", True)]),
        (b"123456789", [(Kind.NUMBER, b"12345678", True), (Kind.NUMBER, b"9", False)]),
        (b" ", [(Kind.SPACE, b" ", True)]),
        (b"  x", [(Kind.SPACE, b"  ", False), (Kind.WORD, b"x", False)]),
        (b'"},\n', [(Kind.MARK, b'"},', False), (Kind.SPACE, b"\n", False)]),
        (b"\xe2\x80", [(Kind.WORD, b"\xe2\x80", False)]),
    ],
)
def test_a_token_is_cut_into_parts(text: bytes, expected: list[tuple[Kind, bytes, bool]]) -> None:
    assert list(TokenParts(lambda _: text)[0]) == expected


def test_a_token_is_looked_up_once() -> None:
    asked: list[int] = []
    parts = TokenParts(lambda token: b"x" if not asked.append(token) else b"")  # type: ignore[func-returns-value]
    assert parts[3] == parts[3]
    assert asked == [3]
