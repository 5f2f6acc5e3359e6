"""The reader of PDF files: text, places and pictures that belong together, however a page lies."""

from __future__ import annotations

import base64
import io
import re
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from mistralet.documents import Page
from mistralet.documents.readers import pdf as reader
from mistralet.documents.readers.unreadable import Limits, UnreadableError
from support.pdf_files import damaged, pdf

LIMITS = Limits(pages=50, characters=100_000)


def drawn(draw: Callable[[Canvas], None], size: tuple[int, int] = (400, 300)) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=size, invariant=1)
    draw(canvas)
    canvas.save()
    return file.getvalue()


def lines(*texts: str) -> bytes:
    def draw(canvas: Canvas) -> None:
        for row, text in enumerate(texts):
            canvas.drawString(50, 250 - 14 * row, text)

    return drawn(draw)


def only_page(data: bytes) -> Page:
    (page,) = reader.pages(data, LIMITS)
    return page


def words_of(data: bytes) -> list[str]:
    text = only_page(data).text
    return [text[start:end] for start, end, *_ in reader.words(data, 1)]


def test_a_word_parted_at_the_end_of_a_line_has_two_places() -> None:
    data = lines("The notice period is inspec-", "tion of the house", "well-known")
    assert only_page(data).text == "The notice period is inspec-\ntion of the house\nwell-known"
    assert words_of(data)[4:6] == ["inspec-", "tion"]
    first, second = reader.words(data, 1)[4:6]
    assert first[3] < second[3]  # the second stands lower
    assert first[2] > second[2]  # and further to the left


def test_letters_beyond_the_first_plane_and_unknown_ones_move_no_word() -> None:
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def "
        b"1 begincodespacerange <00> <FF> endcodespacerange "
        b"3 beginbfchar <41> <D83DDE00> <42> <00660066> <43> <0000> endbfchar endcmap end end"
    )
    data = pdf("xA yB CA last").replace(b"/BaseFont /Helvetica >>", b"/BaseFont /Helvetica /ToUnicode 99 0 R >>")
    end = data.index(b"xref\n0")
    stream = b"99 0 obj\n<< /Length %d >>\nstream\n%b\nendstream\nendobj\n" % (len(cmap), cmap)
    data = data[:end] + stream + data[end:]
    assert only_page(data).text == "x😀 yff �😀 last"
    assert words_of(data) == ["x😀", "yff", "�😀", "last"]
    assert [word[2] for word in reader.words(data, 1)] == sorted(word[2] for word in reader.words(data, 1))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text("ab-.,( é", max_size=12), min_size=1, max_size=5))
def test_words_are_those_of_the_text_and_lie_on_the_page(texts: list[str]) -> None:
    data = lines(*texts)
    page = only_page(data)
    assert words_of(data) == re.findall(r"\S+", page.text)
    for _, _, left, top, right, bottom in reader.words(data, 1):
        assert 0 <= left < right <= 400
        assert 0 <= top < bottom <= 300


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("box", [b"", b"/CropBox [40 30 380 290]"])
def test_places_are_where_the_word_is_seen_on_a_turned_and_cropped_page(turn: int, box: bytes) -> None:
    data = pdf("alpha beta", size=(400, 300)).replace(b"/Type /Page ", b"/Type /Page /Rotate %d %b " % (turn, box))
    page = only_page(data)
    assert page.size is not None
    picture = Image.open(io.BytesIO(reader.picture(data, 1, round(max(page.size))))).convert("L")
    assert picture.size == pytest.approx(page.size, abs=0.5)
    if box:
        assert page.size == ((340, 260) if turn % 180 == 0 else (260, 340))
    seen = picture.point(lambda value: 255 * (value < 128)).getbbox()
    assert seen is not None
    words = [word for word in reader.words(data, 1) if page.text[word[0] : word[1]] == "beta"]
    ((_, _, left, top, right, bottom),) = words
    inside = picture.crop((int(left), int(top), int(right) + 1, int(bottom) + 1))
    assert inside.getextrema()[0] < 100  # its ink
    assert seen[0] - 8 <= left
    assert right <= seen[2] + 8
    assert seen[1] - 8 <= top
    assert bottom <= seen[3] + 8


def test_two_columns_are_read_one_after_the_other() -> None:
    def draw(canvas: Canvas) -> None:
        for left, name in ((50, "left"), (220, "right")):
            for row in range(3):
                canvas.drawString(left, 250 - 14 * row, f"{name} column line {row}")

    assert only_page(drawn(draw)).text.split("\n") == [
        f"{name} column line {row}" for name in ("left", "right") for row in range(3)
    ]


@pytest.mark.parametrize(
    ("text", "side", "is_scan"),
    [("", 300, True), ("Page 1", 20, True), ("Scanned by office 12, 31 March", 300, True), ("word " * 30, 300, False)],
)
def test_a_page_of_pictures_with_hardly_a_text_is_a_scan(text: str, side: int, is_scan: bool) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawInlineImage(Image.new("L", (20, 20), 128), 0, 0, side, side)
        canvas.drawString(5, 5, text)

    assert only_page(drawn(draw, (300, 300))).is_scan == is_scan


def test_a_letterhead_with_a_logo_is_no_scan() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawInlineImage(Image.new("L", (20, 20), 128), 0, 270, 30, 30)
        canvas.drawString(50, 250, "Yours sincerely, the board")

    assert not only_page(drawn(draw, (300, 300))).is_scan


@pytest.mark.parametrize("size", [(14400, 14400), (14400, 3), (3, 3)])
def test_pictures_have_the_side_asked_for(size: tuple[int, int]) -> None:
    picture = Image.open(io.BytesIO(reader.picture(pdf("", size=size), 1, 300)))
    assert max(picture.size) == 300
    assert min(picture.size) >= 1


def test_what_a_form_was_filled_with_is_read_and_seen() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(50, 250, "Name:")
        canvas.acroForm.textfield(name="name", value="Ada Lovelace", x=100, y=240, width=150, height=20)

    data = drawn(draw)
    assert only_page(data).text == "Name:\nAda Lovelace"
    _, (_, _, left, top, right, bottom), _ = reader.words(data, 1)
    inside = (
        Image.open(io.BytesIO(reader.picture(data, 1, 400)))
        .convert("L")
        .crop((int(left), int(top), int(right), int(bottom)))
    )
    assert inside.getextrema()[0] < 100
    assert b"/Widget" in reader.marked(data, [])  # a copy for people stays a form


@pytest.mark.parametrize(("colour", "mode"), [((0, 0, 0), "L"), ((0, 0, 1), "RGB")])
def test_pictures_have_colours_where_the_page_has(colour: tuple[int, int, int], mode: str) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFillColorRGB(*colour)
        canvas.rect(50, 50, 100, 100, stroke=0, fill=1)

    picture = Image.open(io.BytesIO(reader.picture(drawn(draw), 1, 400)))
    assert picture.mode == mode
    assert picture.convert("RGB").getpixel((100, 200)) == tuple(255 * part for part in colour)


class TestDamagedPages:
    DRAWN = b"BT /F1 18 Tf 10 50 Td (two) Tj ET"

    def unread(self, data: bytes) -> list[int]:
        pages = reader.pages(data, LIMITS)
        assert all((page.text, page.is_scan, page.size) == ("", False, None) for page in pages if page.unread)
        return [page.number for page in pages if page.unread]

    def test_one_hides_no_other_and_keeps_its_number(self) -> None:
        pages = reader.pages(damaged(pdf("one", "two", "three"), 2), LIMITS)
        assert [(page.number, page.text) for page in pages] == [(1, "one"), (2, ""), (3, "three")]
        assert [page.unread for page in pages] == ["", "it is damaged; get the file again", ""]

    def test_none_that_can_be_read_is_refused(self) -> None:
        with pytest.raises(UnreadableError, match="cannot be read on any page: it is damaged; get it again"):
            reader.pages(damaged(pdf("one", "two"), 1, 2), LIMITS)

    def test_the_limit_on_text_is_no_damage(self) -> None:
        with pytest.raises(UnreadableError, match="more than 5 characters"):
            reader.pages(pdf("one", "two"), Limits(pages=5, characters=5))

    def packed(self, content: bytes, filters: bytes) -> bytes:
        before = b"<< /Length %d >>\nstream\n%b" % (len(self.DRAWN), self.DRAWN)
        after = b"<< /Length %d /Filter %b >>\nstream\n%b" % (len(content), filters, content)
        return pdf("one", "two").replace(before, after)

    @pytest.mark.parametrize(
        ("content", "filters"),
        [
            (b"\x01 no packed data", b"/FlateDecode"),
            (zlib.compress(DRAWN)[:2] + b"\0\xff" * 15, b"/FlateDecode"),
            (base64.a85encode(b"\0\xff" * 15) + b"~>", b"[ /ASCII85Decode /FlateDecode ]"),
            (base64.a85encode(b"\0\xff" * 15) + b"~>", b"/ASCII85Decode"),
        ],
    )
    def test_one_whose_content_does_not_unpack(self, content: bytes, filters: bytes) -> None:
        assert self.unread(self.packed(content, filters)) == [2]

    def test_one_whose_content_is_no_stream(self) -> None:
        data = pdf("one", "two")
        start = data.rindex(b"stream\n", 0, data.index(b"(two)"))
        assert self.unread(data[:start] + b"strewn\n" + data[start + 7 :]) == [2]

    def test_one_whose_content_is_noise(self) -> None:
        noise = bytes(range(128, 128 + len(self.DRAWN)))
        assert self.unread(pdf("one", "two").replace(self.DRAWN, noise)) == [2]

    @pytest.mark.parametrize("content", [b"", b"q Q", b"BT ET", b"% nothing"])
    def test_an_empty_page_is_none(self, content: bytes) -> None:
        assert self.unread(pdf("one", "two").replace(self.DRAWN, content.ljust(len(self.DRAWN)))) == []

    def test_an_empty_page_whose_content_is_packed_is_none(self) -> None:
        empty = zlib.compress(b"q 1 0 0 1 0 0 cm Q")
        assert self.unread(self.packed(empty, b"/FlateDecode")) == []
        assert self.unread(self.packed(base64.a85encode(empty) + b"~>", b"[/ASCII85Decode /FlateDecode]")) == []

    @pytest.mark.parametrize("kept", [b"", b"\xff\xd8\xff\xe0"])
    def test_a_scan_whose_picture_is_damaged(self, kept: bytes) -> None:
        picture = io.BytesIO()
        Image.new("L", (20, 20), 128).save(picture, "JPEG")
        whole = picture.getvalue()

        def draw(canvas: Canvas) -> None:
            canvas.drawString(50, 250, "a page of text")
            canvas.showPage()
            canvas.drawImage(ImageReader(io.BytesIO(whole)), 0, 0, 400, 300)

        data = drawn(draw)
        assert self.unread(data) == []
        encoded = base64.a85encode(whole) + b"~>"
        broken = base64.a85encode(kept + b"\1" * (len(whole) - len(kept))) + b"~>"
        assert encoded in data
        assert self.unread(data.replace(encoded, broken.ljust(len(encoded)))) == [2]
