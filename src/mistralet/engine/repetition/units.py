"""Tokens to units: words, numbers, marks and white space, the same whatever the vocabulary cuts text into."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import IntEnum

_RUN = re.compile(rb"[A-Za-z]+|[0-9]+|\s+|[\x80-\xff]+|[^A-Za-z0-9\s\x80-\xff]+")


class Kind(IntEnum):
    """What a unit is made of."""

    WORD = 0  # letters of ASCII, or bytes beyond ASCII
    NUMBER = 1  # digits
    SPACE = 2  # white space, but not a single blank between two other units
    MARK = 3  # punctuation


# Bytes of a unit that is put together from tokens, by kind. Longer runs are cut, or one unit could last for ever.
LONGEST = (16, 8, 0, 0)

# A part of a token: its kind, its bytes, and whether it goes on with a unit of its kind that ended the token before.
Part = tuple[int, bytes, bool]


class TokenParts(dict[int, tuple[Part, ...]]):
    """Token id -> its parts; worked out once per id. One table serves all requests of a model."""

    def __init__(self, token_bytes: Callable[[int], bytes]) -> None:
        """
        Args:
            token_bytes: the bytes an id stands for, such as `Tokenizer.token_bytes`.
        """
        super().__init__()
        self._token_bytes = token_bytes

    def __missing__(self, token_id: int) -> tuple[Part, ...]:
        parts = self[token_id] = tuple(_parts(self._token_bytes(token_id)))
        return parts


def _parts(text: bytes) -> list[Part]:
    if text == b" ":
        return [(int(Kind.SPACE), text, True)]
    parts: list[Part] = []
    for match in _RUN.finditer(text):
        run = match.group()
        glued = match.start() == 0
        if run == b" " and match.end() < len(text):
            continue  # the blank before a word belongs to it
        if run[:1].isspace():
            parts.append((int(Kind.SPACE), run, False))
        elif run[:1].isdigit():
            longest = LONGEST[Kind.NUMBER]
            cuts = range(0, len(run), longest)
            parts += [(int(Kind.NUMBER), run[cut : cut + longest], glued and cut == 0) for cut in cuts]
        elif run[:1].isalpha():
            # Pieces of words stay apart, so that new words made of the same pieces are not new. Only single letters
            # are put together: of a vocabulary of bytes, nothing else would be left.
            parts.append((int(Kind.WORD), run, glued and len(run) == 1))
        else:
            parts.append((int(Kind.WORD if run[0] >= 0x80 else Kind.MARK), run, False))
    return parts
