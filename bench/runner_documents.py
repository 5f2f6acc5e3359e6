"""What the peers of `bench.documents` do, in their own Python: times as JSON. It imports nothing of mistralet."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

_PICTURES = 20  # pages that are rendered
_SIDE = 1000  # pixels


def main() -> None:
    """`python runner_documents.py LIBRARY FILE`: seconds for text, words and pictures."""
    library, path = sys.argv[1:]
    import_module(library)  # takes a second, which is not reading
    work: dict[str, Callable[[str, str], Any]] = {"pymupdf": _pymupdf, "pdfplumber": _pdfplumber}
    told = {}
    for what in ("text", "words", "pictures"):
        begun = time.perf_counter()
        if work[library](path, what) is not None:
            told[what] = time.perf_counter() - begun
    sys.stdout.write(json.dumps(told))


def _pymupdf(path: str, what: str) -> Any:
    import pymupdf

    with pymupdf.open(path) as document:
        if what == "text":
            return [page.get_text() for page in document]
        if what == "words":
            return [page.get_text("words") for page in document]
        return [_png(document[number]) for number in range(_PICTURES)]


def _png(page: Any) -> bytes:
    import pymupdf

    scale = _SIDE / max(page.rect.width, page.rect.height)
    data: bytes = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale)).tobytes("png")
    return data


def _pdfplumber(path: str, what: str) -> Any:
    import pdfplumber

    if what == "pictures":
        return None  # it renders through PDFium, as we do
    with pdfplumber.open(path) as document:
        return [page.extract_text() if what == "text" else page.extract_words() for page in document.pages]


if __name__ == "__main__":
    main()
