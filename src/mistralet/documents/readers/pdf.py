"""PDF files, through PDFium."""

from __future__ import annotations

import atexit
import ctypes
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from itertools import accumulate
from typing import Any

from mistralet.documents.document import Box, Page
from mistralet.documents.readers.pdf_damage import damaged_contents, has_damaged_picture
from mistralet.documents.readers.unreadable import DAMAGED, DamagedPageError, Limits, UnreadableError

_PASSWORD = 4  # FPDF_ERR_PASSWORD in PDFium's fpdfview.h
_FEWEST_LETTERS = 10  # of a page that is no scan, if there is a picture on it
_FEW_LETTERS = 100  # such as a stamp on a scan, if a picture covers most of the page
_COMPRESSION = 1  # of pictures, which are used at once: a fifth larger than the smallest, in two thirds of the time
_YELLOW = (255, 214, 0, 110)  # red, green, blue, opacity
_PARTS = 100  # of a point, in which PDFium is asked for places: it tells them as whole numbers
# PDFium tells two things by this character, which no text has: that a hyphen parts a word at the end of a line (it then
# leaves out that the line ends), and that it does not know which letter this is.
_HYPHEN = "\ufffe"
_UNKNOWN = "\ufffd"
_CONTROLS = str.maketrans(dict.fromkeys(map(chr, {*range(32)} - {*b"\t\n\r"}), " "))
_WORD = re.compile(rf"[^\s{_HYPHEN}]*{_HYPHEN}|[^\s{_HYPHEN}]+")
_SHOWN_WORD = re.compile(r"\S+")

Place = tuple[float, float, float, float]  # left, top, right and bottom edge; see `Box`
PlacedWord = tuple[int, int, float, float, float, float]  # see `Word`


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    document = _opened(data)
    limits.check(len(document), 0)
    read = []
    characters = 0
    for number in range(1, len(document) + 1):
        try:
            page = _read(document, number)
        except MemoryError:
            raise
        except Exception:  # libraries raise whatever they stumble over
            page = Page(number, "", unread=DAMAGED)
        characters += len(page.text)
        limits.check(0, characters)
        read.append(page)
    for number in damaged_contents(document, [page.number for page in read if not page.text and not page.unread]):
        read[number - 1] = Page(number, "", unread=DAMAGED)
    if all(page.unread for page in read):
        raise UnreadableError("cannot be read on any page: it is damaged; get it again")
    return read


def _read(document: Any, number: int) -> Page:
    with _filled_page(document, number) as page, closing(page.get_textpage()) as textpage:
        text = _shown(_text(textpage))
        is_scan = _is_scan(page, text)
        if is_scan and has_damaged_picture(page):
            return Page(number, "", unread=DAMAGED)
        return Page(number, text, is_scan=is_scan, size=page.get_size())


def words(data: bytes, number: int) -> list[PlacedWord]:
    """The words of a page and their places."""
    with _filled_page(_opened(data), number) as page, closing(page.get_textpage()) as textpage:
        text = _text(textpage)
        indices = _indices(textpage, text)
        place = _place_of(page, textpage)
        # Both have the same words in the same order.
        return [
            (*shown.span(), *place(indices[word.start()], indices[word.end() - 1]))
            for word, shown in zip(_WORD.finditer(text), _SHOWN_WORD.finditer(_shown(text)), strict=True)
        ]


def picture(data: bytes, number: int, side: int) -> bytes:
    """A page as a PNG file, `side` pixels along its longer side."""
    import pypdfium2
    from pypdfium2 import raw

    with _filled_page(_opened(data), number) as page:
        scale = side / max(*page.get_size(), 1.0)
        width, height = (max(1, round(length * scale)) for length in page.get_size())
        bitmap = pypdfium2.PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGR, rev_byteorder=True)
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
        flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
        raw.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, flags)
    file = io.BytesIO()
    _without_colours(bitmap.to_pil()).save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def _without_colours(image: Any) -> Any:
    """The picture in shades of grey if it has no colours: it is packed in less than half the time, to half the size."""
    from PIL import ImageChops

    red, green, blue = image.split()
    is_grey = not ImageChops.difference(red, green).getbbox() and not ImageChops.difference(green, blue).getbbox()
    return red if is_grey else image


def marked(data: bytes, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
    """The file with places marked as with a yellow pen, given with the number of their page."""
    document = _opened.__wrapped__(data)  # one of its own, since it is changed
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


@lru_cache(1)  # the next question is about the same file
def _opened(data: bytes) -> Any:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD:
            raise UnreadableError("is locked with a password; save it without one") from error
        raise UnreadableError("cannot be read: it has no pages, is cut short or damaged; get it again") from error
    if not len(document):
        raise UnreadableError("has no pages; get it again")
    # pypdfium2 complains of what is open when Python ends; what is registered last comes first.
    atexit.unregister(_opened.cache_clear)
    atexit.register(_opened.cache_clear)
    return document


@contextmanager
def _page(document: Any, number: int) -> Iterator[Any]:
    import pypdfium2

    try:
        with closing(document[number - 1]) as page:
            yield page
    except pypdfium2.PdfiumError as error:
        raise DamagedPageError(f"cannot be read on page {number}: it is damaged; get it again") from error


@contextmanager
def _filled_page(document: Any, number: int) -> Iterator[Any]:
    """A page whose form shows what it was filled with, which PDFium leaves out of text and pictures otherwise."""
    from pypdfium2 import raw

    if document.get_formtype():
        with _page(document, number) as page:
            raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)  # holds from the next time that it is loaded
    with _page(document, number) as page:
        yield page


def _text(textpage: Any) -> str:
    """The text as PDFium has it, with `_HYPHEN` for nothing but hyphens that part words."""
    from pypdfium2 import raw

    count = max(0, raw.FPDFText_CountChars(textpage))
    units = (ctypes.c_ushort * (2 * count + 1))()  # of UTF-16: two for each character at most, and one for the end
    written = raw.FPDFText_GetText(textpage, 0, count, units)
    text = bytes(memoryview(units)[: max(0, written - 1)]).decode("utf-16-le", "replace").translate(_CONTROLS)
    if _HYPHEN in text:
        indices = _indices(textpage, text)
        hyphens = {place for place, letter in enumerate(text) if letter == _HYPHEN}
        for place in [place for place in hyphens if raw.FPDFText_IsHyphen(textpage, indices[place]) != 1]:
            text = text[:place] + _UNKNOWN + text[place + 1 :]
    return text


def _shown(text: str) -> str:
    """A page's text from PDFium's: with the same words."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace(_HYPHEN, "-\n").strip("\n")


def _indices(textpage: Any, text: str) -> Sequence[int]:
    """PDFium's index of each character of `text`."""
    from pypdfium2 import raw

    indices: Sequence[int] = range(len(text))
    if max(text, default="") > "\uffff":  # to PDFium, such are two
        indices = [0, *accumulate(1 + (letter > "\uffff") for letter in text[:-1])]
    if indices and indices[-1] + 1 != raw.FPDFText_CountChars(textpage):  # it leaves some out of the text
        indices = [max(0, raw.FPDFText_GetCharIndexFromTextIndex(textpage, index)) for index in indices]
    return indices


def _is_scan(page: Any, text: str) -> bool:
    from pypdfium2 import raw

    letters = len("".join(text.split()))
    if letters >= _FEW_LETTERS:
        return False
    pictures = [image.get_bounds() for image in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)]
    if letters < _FEWEST_LETTERS:
        return bool(pictures)
    width, height = page.get_size()
    largest = max(((right - left) * (top - bottom) for left, bottom, right, top in pictures), default=0.0)
    return bool(largest > width * height / 2)


def _place_of(page: Any, textpage: Any) -> Callable[[int, int], Place]:
    """What gives the place of the characters from one to another of the same line, by PDFium's indices."""
    from pypdfium2 import raw

    on_page = _on_page(page)
    handle, ask = textpage.raw, raw.FPDFText_GetLooseCharBox
    boxes = (raw.FS_RECTF * 2)()
    first, last = ctypes.byref(boxes[0]), ctypes.byref(boxes[1])
    edges = memoryview(boxes).cast("B").cast("f")

    def place(start: int, end: int) -> Place:
        ask(handle, start, first)
        ask(handle, end, last)
        left, top, right, bottom, left2, top2, right2, bottom2 = edges
        # The last letter is the leftmost in some writings. This is asked for every word: min and max take longer.
        return on_page(
            left if left < left2 else left2,
            bottom if bottom < bottom2 else bottom2,
            right if right > right2 else right2,
            top if top > top2 else top2,
        )

    return place


def _on_page(page: Any) -> Callable[[float, float, float, float], Place]:
    """What turns a box of the page's own coordinates into one of the page as it is shown: turned and cropped.

    Takes the left, bottom, right and top edge; PDF measures upwards.
    """
    from pypdfium2 import raw

    shown = raw.FS_RECTF()
    raw.FPDF_GetPageBoundingBox(page, ctypes.byref(shown))
    west, south, east, north = shown.left, shown.bottom, shown.right, shown.top
    turns: dict[int, Callable[[float, float, float, float], Place]] = {
        0: lambda left, bottom, right, top: (left - west, north - top, right - west, north - bottom),
        1: lambda left, bottom, right, top: (bottom - south, left - west, top - south, right - west),
        2: lambda left, bottom, right, top: (east - right, bottom - south, east - left, top - south),
        3: lambda left, bottom, right, top: (north - top, east - right, north - bottom, east - left),
    }
    return turns[raw.FPDFPage_GetRotation(page)]
