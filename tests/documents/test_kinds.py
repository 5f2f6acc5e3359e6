"""A file's kind is told by what it holds."""

from __future__ import annotations

import pytest

from mistralet.documents.kinds import kind_of
from mistralet.errors import DocumentError
from support.office_files import letter, mail, slides, with_member, workbook
from support.pdf_files import pdf

OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (pdf("x"), "a.docx", "pdf"),
        (letter(), "a.pdf", "docx"),
        (slides(), "a", "pptx"),
        (workbook(), "a.zip", "xlsx"),
        (b"\xff\xd8\xff\xe0", "a.png", "picture"),
        (mail({}), "a.txt", "eml"),
        (b"Received: x\r\nFrom: a\r\nTo: b\r\n\r\nFrom: c", "a.txt", "eml"),
        (b"From: me", "a.eml", "eml"),
        (b"<!-- a --><!-- b -->\n<HTML><p>x", "a.txt", "html"),
        (b"<?xml version='1.0'?><html xmlns='x'>", "a", "html"),
        (b"see <html> here", "a.txt", "text"),
        (b"BMW is a maker of cars", "a.txt", "text"),
        (b"II* is three letters", "a.md", "markdown"),
        ("Grüße".encode("utf-16-le"), "a.txt", "text"),
        (b"\x1b[1mbold\x1b[0m and a form feed\f", "a.log", "text"),
    ],
)
def test_is_told_by_what_it_holds(data: bytes, name: str, kind: str) -> None:
    assert kind_of(data, name) == kind


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (OLD, "a file of an old office program; save it as DOCX"),
        (OLD + "EncryptedPackage".encode("utf-16-le"), "locked with a password"),
        (b"{\\rtf1 text}", "an RTF file; save it as DOCX"),
        (
            with_member(letter(), "x", b"").replace(b"word/document.xml", b"word/documents.xm"),
            "an archive, but no DOCX",
        ),
        (b"\x7fELF\2\1\1" + bytes(50), "no document that can be read: PDF, DOCX"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\3" + bytes(range(1, 200)), "no document that can be read"),
    ],
)
def test_what_nothing_here_reads_is_refused_with_what_to_do(data: bytes, why: str) -> None:
    with pytest.raises(DocumentError, match=why):
        kind_of(data, "a.pdf")


def test_many_comments_before_nothing_take_no_time() -> None:
    assert kind_of(b"<!---->" * 500, "a.txt") == "text"
