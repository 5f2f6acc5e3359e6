"""Scans get text and words by what reads pictures; the real one is tried in tests/slow."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from mistralet.documents import Box, Document, cite
from mistralet.documents.ocr import Engine, Line, with_text
from mistralet.documents.opening import open_bytes
from mistralet.documents.readers.unreadable import UnreadableError
from mistralet.errors import DocumentError
from support.pdf_files import pdf
from support.scans import tiff

LINES = [(Box(200, 100, 400, 120), "three months"), (Box(100, 102, 180, 122), "is"), (Box(100, 140, 200, 160), "End")]


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


class TestUnreadPages:
    SCANS = open_bytes(tiff((40, 20), (40, 20), (40, 20)), "scan.tiff")

    def failing(self, *pages: int) -> Engine:
        numbers = iter(range(1, 4))

        def read(_: bytes) -> list[Line]:
            if next(numbers) in pages:
                raise UnreadableError("it is too hard")
            return LINES

        return read

    def test_one_that_cannot_be_recognised_is_told_and_the_others_are_read(self) -> None:
        document = with_text(self.SCANS, engine=self.failing(2))
        assert [page.text for page in document.pages] == ["is three months\nEnd", "", "is three months\nEnd"]
        assert not any(page.is_scan for page in document.pages)
        assert list(map(str, document.unread_pages)) == ["Page 2 of scan.tiff was not read: it is too hard."]
        assert document.source.words(2) == ()

    def test_none_that_can_be_read_is_an_error(self) -> None:
        with pytest.raises(DocumentError, match=r"^No page of scan\.tiff could be read: it is too hard\.$"):
            with_text(self.SCANS, engine=self.failing(1, 2, 3))

    def test_one_whose_picture_is_damaged(self) -> None:
        whole = tiff((90, 90), (90, 90), noise=50)
        frames = Image.open(io.BytesIO(whole))
        frames.seek(1)
        (start,) = frames.tag_v2[273]  # where its packed pixels are
        broken = whole[:start] + bytes(200) + whole[start + 200 :]
        document = with_text(open_bytes(broken, "scan.tiff"), engine=lambda _: LINES)
        assert [page.page for page in document.unread_pages] == [2]
        assert document.page(2).unread == "it is damaged; get the file again"

    def test_one_that_takes_too_long_to_draw_is_refused(self) -> None:
        class Slow:
            def picture(self, *_: int) -> bytes:
                raise DocumentError("scan.tiff takes too much time or memory to read; give a simpler file.")

        with pytest.raises(DocumentError, match="too much time"):
            with_text(replace(self.SCANS, source=Slow()), engine=engine)  # type: ignore[arg-type]
