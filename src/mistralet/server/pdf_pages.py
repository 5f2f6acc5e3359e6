"""The pages of a PDF file: the text of each, and the picture of it.

It is also a program for `run_limited`, given a line of JSON and the file on its standard input, which writes JSON.
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from typing import Any

from mistralet.documents.readers import pdf
from mistralet.documents.readers.unreadable import Limits, UnreadableError

SECONDS = 15  # that reading a file may take
_MAX_CHARS = 1_000_000  # of a file's text


@dataclass(frozen=True)
class Page:
    """A page."""

    text: str
    picture: str | None  # a data: URL
    is_damaged: bool = False  # nothing of it was read


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
    return [
        {
            "text": page.text,
            "picture": None if picture_side is None or page.unread else _picture(data, page.number, picture_side),
            "is_damaged": bool(page.unread),
        }
        for page in pdf.pages(data, Limits(max_pages, _MAX_CHARS))
    ]


def _picture(data: bytes, number: int, side: int) -> str:
    return f"data:image/png;base64,{base64.b64encode(pdf.picture(data, number, side)).decode()}"


def main() -> None:
    """Read what is asked and the file, write the pages or why there are none."""
    asked, _, data = sys.stdin.buffer.read().partition(b"\n")
    told: dict[str, Any]
    try:
        told = {"pages": _pages(data, **json.loads(asked))}
    except UnreadableError as error:
        told = {"error": str(error)}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
