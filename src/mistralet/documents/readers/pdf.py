"""PDF files, through PDFium."""

from __future__ import annotations

import ctypes
import difflib
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from mistralet.documents.document import Box, Page, Word
from mistralet.documents.readers.unreadable import Limits, UnreadableError

_PASSWORD = 4  # FPDF_ERR_PASSWORD in PDFium's fpdfview.h
_FEWEST_LETTERS = 10  # of a page that is no scan, if there is a picture on it
_YELLOW = (255, 214, 0, 110)  # red, green, blue, opacity
_PARTS = 100  # of a point, in which PDFium is asked for places: it tells them as whole numbers
# What PDFium puts where a hyphen parts a word at the end of a line.
_HYPHENS = str.maketrans({"\x02": "-", "\ufffe": "-", "\0": " "})


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    with _opened(data) as document:
        limits.check(len(document), 0)
        read = []
        characters = 0
        for number in range(1, len(document) + 1):
            with _page(document, number) as page:
                text = _text(page)
                characters += len(text)
                limits.check(0, characters)
                read.append(Page(number, text, is_scan=_is_scan(page, text)))
        return read


def words(data: bytes, number: int) -> list[Word]:
    """The words of a page and their places."""
    with _opened(data) as document, _page(document, number) as page:
        placed = list(_placed_words(page))
        text = _text(page)
        stated = [match.span() for match in re.finditer(r"\S+", text)]
        matcher = difflib.SequenceMatcher(
            None, [text[start:end] for start, end in stated], [word for word, _ in placed], autojunk=False
        )
        return [
            Word(*stated[block.a + step], placed[block.b + step][1])
            for block in matcher.get_matching_blocks()
            for step in range(block.size)
        ]


def picture(data: bytes, number: int, side: int) -> bytes:
    """A page as a PNG file, `side` pixels along its longer side."""
    with _opened(data) as document, _page(document, number) as page:
        scale = side / max(*page.get_size(), 1.0)
        file = io.BytesIO()
        page.render(scale=scale).to_pil().convert("RGB").save(file, "PNG")
        return file.getvalue()


def marked(data: bytes, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
    """The file with places marked as with a yellow pen, given with the number of their page."""
    with _opened(data) as document:
        for number, boxes in marks:
            with _page(document, number) as page:
                for box in boxes:
                    _mark(page, box)
        file = io.BytesIO()
        document.save(file)
        return file.getvalue()


def _mark(page: Any, box: Box) -> None:
    from pypdfium2 import raw

    left, top = _own(page, box.left, box.top)
    right, bottom = _own(page, box.right, box.bottom)
    left, right, bottom, top = min(left, right), max(left, right), min(bottom, top), max(bottom, top)
    mark = raw.FPDFPage_CreateAnnot(page.raw, raw.FPDF_ANNOT_HIGHLIGHT)
    quad = raw.FS_QUADPOINTSF(left, top, right, top, left, bottom, right, bottom)
    raw.FPDFAnnot_SetColor(mark, raw.FPDFANNOT_COLORTYPE_Color, *_YELLOW)
    raw.FPDFAnnot_AppendAttachmentPoints(mark, ctypes.byref(quad))
    raw.FPDFAnnot_SetRect(mark, ctypes.byref(raw.FS_RECTF(left, top, right, bottom)))
    raw.FPDFPage_CloseAnnot(mark)


def _own(page: Any, across: float, down: float) -> tuple[float, float]:
    """A place on the page as it is shown, in the page's own coordinates."""
    from pypdfium2 import raw

    width, height = page.get_size()
    size = (round(width * _PARTS), round(height * _PARTS))
    x, y = ctypes.c_double(), ctypes.c_double()
    place = (round(across * _PARTS), round(down * _PARTS))
    raw.FPDF_DeviceToPage(page.raw, 0, 0, *size, 0, *place, ctypes.byref(x), ctypes.byref(y))
    return x.value, y.value


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD:
            raise UnreadableError("is locked with a password; give it without one") from error
        raise UnreadableError("cannot be read: it has no pages, is cut short or damaged; get it again") from error
    with closing(document):
        if not len(document):
            raise UnreadableError("has no pages; get it again")
        yield document


@contextmanager
def _page(document: Any, number: int) -> Iterator[Any]:
    import pypdfium2

    try:
        page = document[number - 1]
        with closing(page):
            yield page
    except pypdfium2.PdfiumError as error:
        raise UnreadableError(f"cannot be read on page {number}: it is damaged; get it again") from error


def _text(page: Any) -> str:
    with closing(page.get_textpage()) as textpage:
        text: str = textpage.get_text_range()
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_HYPHENS).strip("\n")


def _is_scan(page: Any, text: str) -> bool:
    from pypdfium2 import raw

    if len("".join(text.split())) >= _FEWEST_LETTERS:
        return False
    return any(True for _ in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3))


def _placed_words(page: Any) -> Iterator[tuple[str, Box]]:
    """The words as PDFium has them, and the box around the letters of each."""
    from pypdfium2 import raw

    with closing(page.get_textpage()) as textpage:
        handle = textpage.raw
        edges = [ctypes.c_double() for _ in range(4)]
        left, right, bottom, top = edges
        pointers = [ctypes.byref(edge) for edge in edges]
        word: list[str] = []
        around: list[float] = []
        for index in range(raw.FPDFText_CountChars(handle)):
            letter = chr(raw.FPDFText_GetUnicode(handle, index)).translate(_HYPHENS)
            if not letter.isspace():
                word.append(letter)
                if raw.FPDFText_GetCharBox(handle, index, *pointers):
                    box = (left.value, bottom.value, right.value, top.value)
                    around = list(box) if not around else _union(around, box)
            # A hyphen that PDFium itself put there ends its line without a character for that.
            if word and (letter.isspace() or raw.FPDFText_IsHyphen(handle, index) == 1):
                if around:
                    yield "".join(word), _shown(page, around)
                word, around = [], []
        if word and around:
            yield "".join(word), _shown(page, around)


def _union(one: list[float], other: tuple[float, float, float, float]) -> list[float]:
    return [min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])]


def _shown(page: Any, around: list[float]) -> Box:
    """A box of the page's own coordinates on the page as it is shown: turned, cropped, from the upper left corner."""
    from pypdfium2 import raw

    width, height = page.get_size()
    size = (round(width * _PARTS), round(height * _PARTS))
    corners = []
    for x, y in ((around[0], around[1]), (around[2], around[3])):
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page.raw, 0, 0, *size, 0, x, y, ctypes.byref(across), ctypes.byref(down))
        corners.append((across.value / _PARTS, down.value / _PARTS))
    (x1, y1), (x2, y2) = corners
    return Box(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
