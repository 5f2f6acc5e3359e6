"""Documents for tests, made of texts: each word has a place, ten points a letter, twenty a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from mistralet.documents import Box, Document, Page, Word

_LETTER, _LINE = 10, 20  # points


@dataclass(frozen=True)
class Typed:
    """The places of a typewriter's letters."""

    pages: tuple[str, ...]

    def words(self, number: int) -> tuple[Word, ...]:
        words = []
        text = self.pages[number - 1]
        for match in re.finditer(r"\S+", text):
            line = text.count("\n", 0, match.start())
            column = match.start() - (text.rfind("\n", 0, match.start()) + 1)
            box = Box(column * _LETTER, line * _LINE, (column + len(match[0])) * _LETTER, (line + 1) * _LINE)
            words.append(Word(match.start(), match.end(), box))
        return tuple(words)

    def picture(self, number: int, side: int) -> bytes:
        return f"page {number}, {side} pixels".encode()

    def marked(self, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
        return repr(list(marks)).encode()


def typed_document(*pages: str, name: str = "typed.pdf") -> Document:
    digest = sha256("\f".join(pages).encode()).hexdigest()
    return Document(name, "pdf", digest, [Page(n, text) for n, text in enumerate(pages, 1)], Typed(pages))
