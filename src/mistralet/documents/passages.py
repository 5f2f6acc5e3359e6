"""Passages: the sentences of a page, with their places in its text."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mistralet.documents.document import Document, Page

_HEADING = 60  # characters of a line that may be one, at most
_LONGEST = 400  # characters of a passage; tables have no full stops
# Between sentences: behind a full stop before a capital or a number, at an empty line, or at the end of a short one.
_BORDER = re.compile(
    r"(?<=[.!?…])[\"”»)]?\s+(?=[\"“„«(]?[\dA-ZÀ-ÖØ-ÞĀ-Ž¿¡])|\n\s*\n|(?P<line>(?<=[^.!?…,;:\s-])[^\S\n]*\n(?=[\dA-ZÀ-Þ]))"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:[A-Z]|e\.g|i\.e|z\.B|Nr|No|Art|Abs|art|cf|vgl|bzw|ca|Mr|Mrs|Dr|St|Inc|Ltd)|^\s*\d+)\.$"
)


@dataclass(frozen=True)
class Passage:
    """A sentence, or a piece of one: `page.text[start:end]`."""

    document: Document
    page: Page
    start: int
    end: int

    @property
    def text(self) -> str:
        """Its words, on one line."""
        return " ".join(self.page.text[self.start : self.end].split())


def passages(document: Document, page: Page) -> list[Passage]:
    """All passages of a page, in order."""
    pieces = [piece for sentence in sentences(page.text) for piece in _pieces(page.text, *sentence)]
    return [Passage(document, page, start, end) for start, end in pieces]


def sentences(text: str) -> list[tuple[int, int]]:
    """From where to where each sentence of a text goes; a heading, or a line of a header, is one of its own."""
    found = []
    start = 0
    for border in _BORDER.finditer(text):
        before = text[start : border.start()]
        if border["line"] is not None:
            if len(before.rpartition("\n")[2]) > _HEADING or not before[:1].isalnum():
                continue
        elif "\n\n" not in re.sub(r"[^\S\n]", "", border[0]) and _ABBREVIATION.search(before):
            continue
        found.append((start, border.start() + len(border[0]) - len(border[0].lstrip('"”»)'))))
        start = border.end()
    found.append((start, len(text)))
    stripped = [_stripped(text, *each) for each in found]
    return [(start, end) for start, end in stripped if start < end]


def _pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A sentence in pieces that are not too long, cut at ends of lines or between words."""
    borders = [start]
    while end - borders[-1] > _LONGEST:
        begin, last = borders[-1], borders[-1] + _LONGEST
        cut = max(text.rfind("\n", begin + 1, last), begin)
        cut = cut if cut > begin else max(text.rfind(" ", begin + 1, last), begin)
        borders.append(cut if cut > begin else last)
    stripped = [_stripped(text, *each) for each in zip(borders, [*borders[1:], end], strict=True)]
    return [(begin, last) for begin, last in stripped if begin < last]


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
