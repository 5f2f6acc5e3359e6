"""The text of scanned pages, read by RapidOCR, whose models come in its wheel: for models that read no pictures.

It runs in a process of its own (`rapid_ocr.py`): a stranger's scan can keep it busy for long, or crash it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace

from mistralet.documents.document import Box, Document, Page, PageSource, Word
from mistralet.documents.rapid_ocr import Line, RapidOcr
from mistralet.documents.readers.unreadable import DAMAGED, UnreadableError
from mistralet.errors import DocumentError, PageError

__all__ = ["Engine", "Line", "with_text"]

_SIDE = 2000  # pixels of a page's longer side: small print is still read
_POINTS = 842  # of the longer side of a page whose size nobody tells: A4's

# Reads a PNG file. Raises `UnreadableError` if it cannot: the end of a sentence that begins with the page.
Engine = Callable[[bytes], Sequence[Line]]


def with_text(
    document: Document,
    pages: Collection[int] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    engine: Engine | None = None,
) -> Document:
    """The document with text and words where a page is a scan. One whose text cannot be read is told as `unread`.

    Args:
        pages: numbers of those to read, if they are scans; None: all.
        progress: told of scans that are read, and of all.
        engine: what reads a picture, such as a `RapidOcr` for several documents; None: one for this document.

    Raises:
        DocumentError: RapidOCR is not installed, no page of the document could be read, or a picture of one takes too
            much time or memory.
    """
    scans = [page for page in document.pages if page.is_scan and (pages is None or page.number in pages)]
    if not scans:
        return document
    read: dict[int, _ReadPage] = {}
    with nullcontext(engine) if engine is not None else closing(RapidOcr()) as reader:
        for done, page in enumerate(scans):
            progress(done, len(scans))
            read[page.number] = _read(document, page, reader)
    progress(len(scans), len(scans))
    known = [read[page.number].page if page.number in read else page for page in document.pages]
    if all(page.unread for page in known):
        raise DocumentError(f"No page of {document.name} could be read: {known[0].unread}.")
    words = {number: each.words for number, each in read.items()}
    return replace(document, pages=known, source=_Read(document.source, words))


@dataclass(frozen=True)
class _ReadPage:
    """A page that was a scan, and its words."""

    page: Page
    words: tuple[Word, ...] = ()


def _read(document: Document, page: Page, engine: Engine) -> _ReadPage:
    try:
        picture = document.source.picture(page.number, _SIDE)
        lines = engine(picture)
    except PageError:
        return _ReadPage(replace(page, is_scan=False, unread=DAMAGED))
    except UnreadableError as error:
        return _ReadPage(replace(page, is_scan=False, unread=str(error)))
    text, words = _placed(lines, max(page.size or (_POINTS,)) / max(_size(picture)))
    return _ReadPage(replace(page, text=text, is_scan=False), words)


@dataclass(frozen=True)
class _Read:
    """A source whose scans have words."""

    source: PageSource
    read: dict[int, tuple[Word, ...]]

    def words(self, number: int) -> tuple[Word, ...]:
        return self.read[number] if number in self.read else self.source.words(number)

    def picture(self, number: int, side: int) -> bytes:
        return self.source.picture(number, side)

    def marked(self, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
        return self.source.marked(marks)


def _placed(lines: Sequence[Line], scale: float) -> tuple[str, tuple[Word, ...]]:
    """Lines from top to bottom as text, and their words: each has the share of its line that its letters have.

    Args:
        scale: points of a pixel.
    """
    text = ""
    words: list[Word] = []
    for row in _rows(lines):
        for box, line in row:
            text += " " if text and not text.endswith("\n") else ""
            start = len(text)
            text += line
            per_letter = (box.right - box.left) / max(1, len(line))
            place = 0
            for word in line.split():
                place = line.index(word, place)
                left = box.left + place * per_letter
                right = left + len(word) * per_letter
                there = Box(left * scale, box.top * scale, right * scale, box.bottom * scale)
                words.append(Word(start + place, start + place + len(word), there))
                place += len(word)
        text += "\n"
    return text.rstrip("\n"), tuple(words)


def _rows(lines: Sequence[Line]) -> list[list[Line]]:
    """Pieces of text on one height are one row, from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line[0].top):
        middle = (line[0].top + line[0].bottom) / 2
        if rows and rows[-1][0][0].top <= middle <= rows[-1][0][0].bottom:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line[0].left) for row in rows]


def _size(picture: bytes) -> tuple[int, int]:
    from PIL import Image

    return Image.open(io.BytesIO(picture)).size
