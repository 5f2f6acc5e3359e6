"""The pages of a PDF file: the text of each, and the picture of it.

It is also a program for `run_limited`, given a line of JSON and the file on its standard input, which writes JSON.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypdfium2 import PdfPage

SECONDS = 15  # that reading a file may take
_MAX_CHARS = 1_000_000  # of a file's text
_PASSWORD = 4  # FPDF_ERR_PASSWORD in PDFium's fpdfview.h


@dataclass(frozen=True)
class Page:
    """A page."""

    text: str
    picture: str | None  # a data: URL


class PdfError(Exception):
    """Why a file is not read: the end of a sentence that begins with its name."""


async def read_pdf(data: bytes, max_pages: int, picture_side: int | None) -> list[Page]:
    """The pages of a file, read in a process of its own.

    Args:
        picture_side: pixels of the longer side of each page's picture; None: no pictures.

    Raises:
        PdfError: it cannot be read, has no pages or too many, or takes too long.
    """
    from mistralet.limited_program import ProgramError, run_limited  # not in the program

    if b"%PDF-" not in data[:1024]:  # where readers look for it
        raise PdfError("is no PDF file; send one")
    asked = json.dumps({"max_pages": max_pages, "picture_side": picture_side}).encode()
    try:
        written = await run_limited(__file__, asked + b"\n" + data, SECONDS)
    except (TimeoutError, ProgramError) as error:
        raise PdfError("takes too much time or memory to read; send a simpler file") from error
    told = json.loads(written)
    if "error" in told:
        raise PdfError(told["error"])
    return [Page(**page) for page in told["pages"]]


def _pages(data: bytes, max_pages: int, picture_side: int | None) -> list[dict[str, Any]]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code == _PASSWORD:
            raise PdfError("is locked with a password; send it without one") from error
        raise PdfError("cannot be read: it has no pages, is cut short or damaged; send it again") from error
    count = len(document)
    if count > max_pages:
        raise PdfError(f"has {count} pages, but at most {max_pages} are read; send fewer")
    left = _MAX_CHARS
    pages = []
    for index in range(count):
        try:
            page = document[index]
            text = page.get_textpage().get_text_bounded().replace("\r\n", "\n").strip()
            picture = None if picture_side is None else _picture(page, picture_side)
        except pypdfium2.PdfiumError as error:
            raise PdfError(f"cannot be read on page {index + 1}: it is damaged; send it again") from error
        left -= len(text)
        if left < 0:
            raise PdfError(f"has more than {_MAX_CHARS:,} characters; send fewer pages")
        pages.append({"text": text, "picture": picture})
    return pages


def _picture(page: PdfPage, side: int) -> str:
    scale = side / max(*page.get_size(), 1.0)
    file = io.BytesIO()
    page.render(scale=scale).to_pil().convert("RGB").save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def main() -> None:
    """Read what is asked and the file, write the pages or why there are none."""
    asked, _, data = sys.stdin.buffer.read().partition(b"\n")
    told: dict[str, Any]
    try:
        told = {"pages": _pages(data, **json.loads(asked))}
    except PdfError as error:
        told = {"error": str(error)}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
