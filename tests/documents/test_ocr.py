"""Scans get text and words by what reads pictures; the real one is tried in tests/slow."""

from __future__ import annotations

import builtins
import io

import pytest
from PIL import Image

from mistralet.documents import Box, Document, cite
from mistralet.documents import ocr as module
from mistralet.documents.ocr import Line, with_text
from mistralet.documents.opening import open_bytes
from mistralet.errors import DocumentError
from support.pdf_files import pdf

LINES = [(Box(200, 100, 400, 120), "three months"), (Box(100, 102, 180, 122), "is"), (Box(100, 140, 200, 160), "End")]


def tiff(*sizes: tuple[int, int]) -> bytes:
    file = io.BytesIO()
    first, *others = [Image.new("L", size, 255) for size in sizes]
    first.save(file, "TIFF", save_all=True, append_images=others)
    return file.getvalue()


def engine(picture: bytes) -> list[Line]:
    assert picture.startswith(b"\x89PNG")
    return LINES


def test_pieces_on_one_height_are_a_line_from_left_to_right() -> None:
    page = with_text(open_bytes(tiff((421, 300)), "scan.tiff"), engine=engine).page(1)
    assert (page.text, page.is_scan) == ("is three months\nEnd", False)


def test_words_have_places_in_points_of_the_page() -> None:
    document = with_text(open_bytes(tiff((421, 300)), "scan.tiff"), engine=engine)
    assert document.page(1).size == (842, 600)  # twice its pixels
    citation = cite(document, "months")
    assert citation is not None
    (box,) = citation.boxes
    # "months" are the last 6 of 12 letters between 200 and 400 pixels.
    assert (box.left, box.top, box.right, box.bottom) == pytest.approx((600, 200, 800, 240))
    words = [document.page(1).text[word.start : word.end] for word in document.source.words(1)]
    assert words == ["is", "three", "months", "End"]


def test_only_scans_are_read_and_of_those_the_pages_asked_for() -> None:
    scans = open_bytes(tiff((40, 20), (40, 20), (40, 20)), "scan.tiff")
    told: list[tuple[int, int]] = []
    read = with_text(scans, [1, 3], lambda done, total: told.append((done, total)), engine)
    assert [page.is_scan for page in read.pages] == [False, True, False]
    assert told == [(0, 2), (1, 2), (2, 2)]
    text = open_bytes(pdf("some text here"), "a.pdf")
    assert with_text(text, engine=engine) is text


def test_what_is_not_scanned_keeps_its_source() -> None:
    document = with_text(open_bytes(tiff((40, 20), (40, 20)), "scan.tiff"), [1], engine=engine)
    assert document.source.words(2) == ()
    assert Image.open(io.BytesIO(document.source.picture(2, 40))).size == (40, 20)


def test_a_scan_without_any_text() -> None:
    document: Document = with_text(open_bytes(tiff((40, 20)), "scan.tiff"), engine=lambda _picture: [])
    assert (document.page(1).text, document.source.words(1)) == ("", ())


def test_without_the_library_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name == "rapidocr":
            raise ImportError(name)
        return whole(name, *rest)  # type: ignore[arg-type]

    module._reader.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DocumentError, match=r"pip install 'mistralet\[ocr\]'"):
        with_text(open_bytes(tiff((40, 20)), "scan.tiff"))
