"""Files of every kind become pages; what cannot be read is a sentence."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from mistralet.documents import Document, Table, cite
from mistralet.documents.opening import DocumentLimits, open_bytes, open_document
from mistralet.errors import PageError
from support.office_files import letter, long_letter, mail, slides, workbook
from support.pdf_files import damaged, pdf


def texts(document: Document) -> list[str]:
    return [page.text for page in document.pages]


def picture_file(kind: str, frames: int = 1, **options: object) -> bytes:
    file = io.BytesIO()
    first, *others = [Image.new("RGB", (40, 20), (10 * frame, 0, 0)) for frame in range(frames)]
    if frames > 1:
        options |= {"save_all": True, "append_images": others}
    first.save(file, kind, **options)
    return file.getvalue()


def size_of(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


class TestPdf:
    def test_has_the_text_of_its_pages(self) -> None:
        document = open_bytes(pdf("first page here", "second page here"), "two.pdf")
        assert (document.name, document.kind) == ("two.pdf", "pdf")
        assert texts(document) == ["first page here", "second page here"]
        assert not any(page.is_scan for page in document.pages)

    def test_words_have_places_on_the_page_as_it_is_shown(self) -> None:
        document = open_bytes(pdf("alpha beta gamma"), "one.pdf")
        words = document.source.words(1)
        assert [document.page(1).text[word.start : word.end] for word in words] == ["alpha", "beta", "gamma"]
        boxes = [word.box for word in words]
        assert boxes == sorted(boxes, key=lambda box: box.left)
        for box in boxes:  # set at 10, 50 from the lower left corner of a page of 200 x 100, 18 points high
            assert 9 <= box.left < box.right <= 200
            assert 30 <= box.top < box.bottom <= 56

    def test_a_quote_gets_its_box(self) -> None:
        citation = cite(open_bytes(pdf("alpha beta gamma"), "one.pdf"), "Beta Gamma")
        assert citation is not None
        assert citation.quote == "beta gamma"
        assert len(citation.boxes) == 1

    @pytest.mark.parametrize("turn", [90, 180, 270])
    def test_a_turned_page_has_its_places_where_they_are_seen(self, turn: int) -> None:
        data = pdf("alpha beta gamma").replace(b"/Type /Page ", f"/Type /Page /Rotate {turn} ".encode())
        document = open_bytes(data, "turned.pdf")
        width, height = size_of(document.source.picture(1, 200))
        assert (width, height) == ((100, 200) if turn != 180 else (200, 100))
        shown = Image.open(io.BytesIO(document.source.picture(1, 200))).convert("L")
        for word in document.source.words(1):
            box = word.box
            assert (
                shown.crop((int(box.left), int(box.top), int(box.right) + 1, int(box.bottom) + 1)).getextrema()[0] < 128
            )

    def test_pictures_are_as_large_as_asked_for(self) -> None:
        document = open_bytes(pdf("alpha"), "one.pdf")
        assert size_of(document.source.picture(1, 400)) == (400, 200)

    def test_a_damaged_page_is_told_and_the_others_are_read(self) -> None:
        document = open_bytes(damaged(pdf("one", "two", "three"), 2), "a.pdf")
        assert texts(document) == ["one", "", "three"]
        assert list(map(str, document.unread_pages)) == [
            "Page 2 of a.pdf was not read: it is damaged; get the file again."
        ]
        citation = cite(document, "three")
        assert citation is not None
        assert (citation.page, len(citation.boxes)) == (3, 1)

    def test_what_is_asked_of_a_damaged_page_is_told_apart(self) -> None:
        document = open_bytes(damaged(pdf("one", "two"), 2), "a.pdf")
        for asked in (document.source.words, lambda number: document.source.picture(number, 100)):
            with pytest.raises(PageError, match=r"a\.pdf cannot be read on page 2: it is damaged"):
                asked(2)

    def test_a_page_of_nothing_is_no_scan(self) -> None:
        assert not open_bytes(pdf(""), "blank.pdf").page(1).is_scan


class TestOffice:
    def test_a_letter(self) -> None:
        first, second = open_bytes(letter(), "letter.docx").pages
        assert first.text == "Terms\n\nThe term is two years.\n\n- first item\n\nItem | Price\nPaper | 12.50"
        assert first.tables == (Table((("Item", "Price"), ("Paper", "12.50"))),)
        assert second.text == "Signed in Lyon."

    def test_a_letter_without_page_breaks_is_cut_into_portions(self) -> None:
        document = open_bytes(long_letter(), "long.docx")
        assert len(document.pages) > 3
        assert all(len(text) <= 3000 + 100 for text in texts(document))
        joined = "\n".join(texts(document))
        assert [f"Paragraph {number}:" in joined for number in range(40)] == [True] * 40

    def test_slides(self) -> None:
        first, second = open_bytes(slides(), "talk.pptx").pages
        assert first.text == "Slide title 1\n\na point\nanother"
        assert second.text == "Slide title 2\n\na point\nanother\n\nleft | right\n\nNotes: say hello"
        assert second.tables == (Table((("left", "right"),)),)
        assert second.label == "slide 2"

    def test_a_workbook(self) -> None:
        sales, empty = open_bytes(workbook(), "sales.xlsx").pages
        assert sales.text == "Sales\n\nDay | Amount | Share\n2025-03-31 | 1200 | 0.25\n2025-04-01T09:30:00 | 7"
        assert sales.label == "Sales"
        assert empty.text == "Empty\n\n"


class TestText:
    def test_html_without_what_is_not_seen(self) -> None:
        html = b"<title>T</title><h1>Head</h1><script>alert(1)</script><p>Seen</p><table><tr><td>a<td>b</table>"
        (page,) = open_bytes(html, "page.html").pages
        assert "Seen" in page.text
        assert "alert" not in page.text
        assert page.tables == (Table((("a", "b"),)),)

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    def test_in_every_encoding(self, encoding: str) -> None:
        assert texts(open_bytes("Prüfung für 5 €\r\nzwei".encode(encoding), "a.txt")) == ["Prüfung für 5 €\nzwei"]

    def test_declared_encodings_of_html(self) -> None:
        html = '<html><meta charset="iso-8859-2"><p>Łódź'.encode("iso-8859-2")
        assert "Łódź" in texts(open_bytes(html, "a.html"))[0]

    def test_form_feeds_are_pages(self) -> None:
        assert texts(open_bytes(b"one\ftwo\f\n", "a.txt")) == ["one", "two", ""]

    def test_a_damaged_page_of_what_is_attached_has_its_number_in_the_mail(self) -> None:
        document = open_bytes(mail({"a.pdf": damaged(pdf("one", "two", "three"), 2)}), "m.eml")
        assert [(page.document, page.page) for page in document.unread_pages] == [("m.eml", 3)]
        assert document.page(4).text == "three"

    def test_a_mail_with_what_is_attached(self) -> None:
        attached = {"notes.txt": b"some notes", "inner.pdf": pdf("inside"), "broken.docx": b"PK\x03\x04"}
        document = open_bytes(mail(attached), "offer.eml")
        first, notes, inner = document.pages
        assert first.text.startswith(
            "From: Ada <ada@site.example>\nTo: bo@site.example\nSubject: The offer – für Sie\n"
        )
        assert "Attachments: notes.txt, inner.pdf, broken.docx" in first.text
        assert "Dear Bo,\nhere it is.\n" in first.text
        assert first.text.endswith("[Attachment not read: broken.docx is cut short or damaged; get the file again.]")
        assert (notes.number, notes.text, notes.label) == (2, "some notes", "notes.txt")
        assert (inner.number, inner.text) == (3, "inside")
        assert document.source.words(3)
        assert not document.source.words(1)
        assert size_of(document.source.picture(3, 300)) == (300, 150)

    def test_a_mail_of_html_only(self) -> None:
        data = b"Content-Type: text/html; charset=utf-8\n\n<p>Hello <b>you</b></p><script>no()</script>"
        assert texts(open_bytes(data, "a.eml")) == ["Hello you"]

    def test_text_is_set_on_a_page_where_there_is_none(self) -> None:
        picture = open_bytes(b"some words " * 1000, "a.txt").source.picture(1, 500)
        assert size_of(picture) == (354, 500)
        assert Image.open(io.BytesIO(picture)).convert("L").getextrema()[0] < 100


class TestPictures:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"])
    def test_are_scans(self, kind: str) -> None:
        document = open_bytes(picture_file(kind), f"a.{kind.lower()}")
        assert [(page.text, page.is_scan) for page in document.pages] == [("", True)]
        assert size_of(document.source.picture(1, 20)) == (20, 10)

    def test_each_frame_of_a_tiff_file_is_a_page(self) -> None:
        document = open_bytes(picture_file("TIFF", frames=3), "fax.tiff")
        assert len(document.pages) == 3
        assert [
            Image.open(io.BytesIO(document.source.picture(number, 40))).getpixel((0, 0)) for number in (1, 2, 3)
        ] == [(0, 0, 0), (10, 0, 0), (20, 0, 0)]

    def test_are_the_way_up_that_the_camera_noted(self) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        document = open_bytes(picture_file("JPEG", exif=exif), "photo.jpg")
        assert size_of(document.source.picture(1, 40)) == (20, 40)


class TestKinds:
    @pytest.mark.parametrize(
        ("data", "name", "kind"),
        [
            (pdf("x"), "really.docx", "pdf"),
            (b"junk\n" + pdf("x"), "late.txt", "pdf"),
            (letter(), "letter.pdf", "docx"),
            (b"<!DOCTYPE html><p>x", "page", "html"),
            (b"# Head", "notes.md", "markdown"),
            (b"plain", "unknown.xyz", "text"),
        ],
    )
    def test_what_it_holds_counts_more_than_its_name(self, data: bytes, name: str, kind: str) -> None:
        assert open_bytes(data, name).kind == kind


def test_a_file_is_opened_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("hello")
    document = open_document(path)
    assert (document.name, texts(document)) == ("note.txt", ["hello"])
    assert len(document.digest) == 64


def test_limits_are_held() -> None:
    limits = DocumentLimits(pages=2, characters=50)
    assert len(open_bytes(pdf("a", "b"), "x.pdf", limits).pages) == 2
    assert len(open_bytes(mail({"a.txt": b"1\f2", "b.txt": b"1"}), "m.eml", replace(limits, characters=999)).pages) == 2


def test_html_has_neither_links_nor_what_is_hidden() -> None:
    html = (
        b"<!doctype html><p>The <a href='https://site.example/x'>notice period</a> is short.</p>"
        b"<p style='color: red; DISPLAY:none'>not this</p><div hidden>nor this</div><p onclick='steal()'>End</p>"
    )
    assert texts(open_bytes(html, "a.html")) == ["The notice period is short.\n\nEnd"]


def test_tables_of_html_stand_with_their_portion() -> None:
    rows = "".join(f"<p>{name} {'words ' * 450}</p><table><tr><td>{name} cell</table>" for name in ("one", "two"))
    pages = open_bytes(f"<!doctype html>{rows}".encode(), "a.html").pages
    found = [(page.text, table.rows[0][0]) for page in pages for table in page.tables]
    assert [cell for _, cell in found] == ["one cell", "two cell"]
    assert all(cell in text for text, cell in found)


def test_the_characters_of_a_mail_and_what_is_attached_are_counted_together() -> None:
    limits = DocumentLimits(characters=200)
    document = open_bytes(mail({"a.txt": b"a" * 60, "b.txt": b"b" * 60}), "m.eml", limits)
    assert [page.label for page in document.pages] == ["e-mail", "a.txt"]
    assert "[Attachment not read: b.txt has more than" in document.page(1).text


def test_pictures_of_long_texts_are_bounded() -> None:
    picture = open_bytes(b"\n".join([b"line"] * 50_000) + b"\f", "a.txt").source.picture(1, 300)
    assert size_of(picture) == (212, 300)
