"""The text of scanned pages, read by RapidOCR, whose models come in its wheel: for models that read no pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from mistralet.documents.document import Box, Document, Page, PageSource, Word
from mistralet.errors import DocumentError

_SIDE = 2000  # pixels of a page's longer side: small print is still read
_POINTS = 842  # of the longer side of a page whose size nobody tells: A4's

Line = tuple[Box, str]  # a piece of text on one line; its place in pixels
Engine = Callable[[bytes], Sequence[Line]]  # reads a PNG file


def with_text(
    document: Document,
    pages: Collection[int] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    engine: Engine | None = None,
) -> Document:
    """The document with text and words where a page is a scan.

    Args:
        pages: numbers of those to read, if they are scans; None: all.
        progress: told of scans that are read, and of all.
        engine: what reads a picture; None: RapidOCR.

    Raises:
        DocumentError: RapidOCR is not installed.
    """
    scans = [page for page in document.pages if page.is_scan and (pages is None or page.number in pages)]
    if not scans:
        return document
    engine = engine or _rapidocr
    read: dict[int, tuple[str, tuple[Word, ...]]] = {}
    for done, page in enumerate(scans):
        progress(done, len(scans))
        picture = document.source.picture(page.number, _SIDE)
        read[page.number] = _page(engine(picture), max(page.size or (_POINTS,)) / max(_size(picture)))
    progress(len(scans), len(scans))
    words = {number: placed for number, (_, placed) in read.items()}
    return replace(document, pages=[_with(page, read) for page in document.pages], source=_Read(document.source, words))


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


def _with(page: Page, read: dict[int, tuple[str, tuple[Word, ...]]]) -> Page:
    return replace(page, text=read[page.number][0], is_scan=False) if page.number in read else page


def _page(lines: Sequence[Line], scale: float) -> tuple[str, tuple[Word, ...]]:
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


def _rapidocr(picture: bytes) -> list[Line]:
    import numpy as np
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))[:, :, ::-1]  # blue, green, red
    found = _reader()(pixels)
    if found.boxes is None:
        return []
    lines = []
    for corners, text in zip(found.boxes.tolist(), found.txts, strict=True):
        across, down = [corner[0] for corner in corners], [corner[1] for corner in corners]
        lines.append((Box(min(across), min(down), max(across), max(down)), text))
    return lines


@cache
def _reader() -> Any:
    try:
        from rapidocr import RapidOCR
    except ImportError as error:
        raise DocumentError(
            "Reading scans needs RapidOCR; install it with pip install 'mistralet[ocr]', or take a model with vision."
        ) from error
    return RapidOCR(params={"Global.log_level": "critical"})
