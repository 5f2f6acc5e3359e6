"""Files that are broken, locked, too large or out for harm: a sentence each, in bounded time and memory."""

from __future__ import annotations

import errno
import zlib
from pathlib import Path

import pytest

from mistralet.documents.opening import DocumentLimits, open_bytes, open_document
from mistralet.errors import DocumentError
from support.office_files import letter, mail, slides, with_member, workbook
from support.pdf_files import damaged, locked_pdf, pdf

LAUGHS = "".join(
    f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' if level else '<!ENTITY l0 "ha">' for level in range(12)
)
LAUGHING = f'<?xml version="1.0"?><!DOCTYPE x [{LAUGHS}]><x>&l11;</x>'.encode()


def bomb_pdf() -> bytes:
    """A page whose small content unpacks to half a gigabyte."""
    packer = zlib.compressobj(9)
    packed = b"".join([packer.compress(bytes(1 << 24)) for _ in range(32)]) + packer.flush()
    packed = zlib.compress(packed, 9)
    head = f"<< /Length {len(packed)} /Filter [/FlateDecode /FlateDecode] >>\nstream\n".encode()
    return pdf("page").replace(b"<< /Length 33 >>\nstream\n", head + packed)


REFUSED = {
    "empty.pdf": (b"", "is empty (0 bytes)"),
    "locked.pdf": (locked_pdf(), "is locked with a password"),
    "cut.pdf": (pdf("some text")[:120], "cannot be read"),
    "no-pages.pdf": (pdf(), "no pages"),
    "holes.pdf": (damaged(pdf("a", "b"), 1, 2), "cannot be read on any page: it is damaged; get it again"),
    "head.pdf": (b"%PDF-1.7\n", "cannot be read"),
    "cut.docx": (letter()[:2000], "cut short or damaged"),
    "laughs.docx": (with_member(letter(), "word/document.xml", LAUGHING), "cannot be read"),
    "laughs.pptx": (with_member(slides(), "ppt/presentation.xml", LAUGHING), "cannot be read"),
    "laughs.xlsx": (with_member(workbook(), "xl/workbook.xml", LAUGHING), "cannot be read"),
    "bomb.docx": (with_member(letter(), "word/media/big.bin", bytes(400 << 20)), "unpacks to more than"),
    "old.doc": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "a file of an old office program"),
    "program.exe": (b"MZ\x90\0" + bytes(100), "no document that can be read"),
    "archive.zip": (b"PK\x03\x04" + bytes(100), "cut short or damaged"),
    "photo.png": (b"\x89PNG\r\n\x1a\n" + bytes(50), "cannot be read as a picture"),
    "long.txt": (b"x" * 2000, "more than 1,000 characters"),
    "many.pdf": (pdf(*["a"] * 12), "has 12 pages, but at most 10 are read; split it"),
    "many.txt": (b"\f" * 20, "has 21 pages"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused_with_a_sentence(name: str) -> None:
    data, why = REFUSED[name]
    with pytest.raises(DocumentError) as caught:
        open_bytes(data, name, DocumentLimits(pages=10, characters=1000, seconds=20))
    told = str(caught.value)
    assert why in told
    assert name in told
    assert told.endswith(".")
    assert "\n" not in told


def test_a_pdf_of_ten_thousand_pages_is_refused_by_its_number() -> None:
    with pytest.raises(DocumentError, match="has 10,000 pages, but at most 5,000 are read"):
        open_bytes(pdf(*["a"] * 10_000), "huge.pdf")


def test_a_bomb_in_a_pdf_is_read_within_its_limits() -> None:
    try:
        document = open_bytes(bomb_pdf(), "bomb.pdf", DocumentLimits(seconds=5))
    except DocumentError:
        return
    assert len(document.page(1).text) < 1000


def test_scripts_in_a_pdf_are_not_run_and_hurt_nobody() -> None:
    action = "/OpenAction << /S /JavaScript /JS (while \\(true\\) {}) >> /AA << /O << /S /Launch /F (/bin/sh) >> >>"
    data = pdf("plain text").replace(b"/Type /Catalog", f"/Type /Catalog {action}".encode())
    assert open_bytes(data, "script.pdf").page(1).text == "plain text"


def test_a_damaged_attachment_does_not_hide_the_mail() -> None:
    document = open_bytes(mail({"a.pdf": b"%PDF-1.7", "b.txt": b"kept"}), "m.eml")
    assert [page.label for page in document.pages] == ["e-mail", "b.txt"]


def test_mails_in_mails_end_somewhere() -> None:
    data = mail({})
    for _ in range(5):
        data = mail({"inner.eml": data})
    assert len(open_bytes(data, "m.eml").pages) == 2


def test_parts_nested_beyond_reason() -> None:
    head = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(3000))
    with pytest.raises(DocumentError, match=r"nested too deep|more than 1,000 parts"):
        open_bytes(head + b"text", "deep.eml")


def test_a_path_that_leads_to_no_file(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="does not exist"):
        open_document(tmp_path / "nothing.pdf")
    with pytest.raises(DocumentError, match="is a folder"):
        open_document(tmp_path)
    path = tmp_path / "some.txt"
    path.write_text("some")
    with pytest.raises(DocumentError, match="has more than 3 bytes"):
        open_document(path, DocumentLimits(nbytes=3))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.txt"
    path.write_text("x")

    def refuse(*_: object) -> None:  # who runs tests as root may read everything
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DocumentError, match=r"secret\.txt cannot be read \(Permission denied\); check its permissions"):
        open_document(path)
