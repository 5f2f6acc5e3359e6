"""What kind of document a file is, told by what it holds; its name only tells texts apart."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import PurePath

from mistralet.documents.readers.text import encoding_of
from mistralet.errors import DocumentError

_PICTURE = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|BM.{4}\0{4}|II\*\0|MM\0\*|RIFF.{4}WEBP", re.DOTALL)
# By a member that such a file always has.
_ARCHIVES = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
_TEXTS = {
    **dict.fromkeys((".htm", ".html", ".xhtml"), "html"),
    **dict.fromkeys((".eml",), "eml"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
}
# Without going back into what was matched: the number of ways to part many comments would double with each.
_HTML = re.compile(r"(?:\s|<\?xml[^>]*>|<!--.*?-->)*+<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)
_HEADER = re.compile(
    r"^(From|To|Date|Subject|Received|Return-Path|Message-ID|MIME-Version):", re.IGNORECASE | re.MULTILINE
)
_FEWEST_HEADERS = 3  # of an e-mail that is not named as one
_HEAD = 4096  # bytes or letters in which texts are told apart
_CONTROLS = frozenset(map(chr, {*range(32)} - {*b"\b\t\n\f\r\x1b"}))
_MOST_CONTROLS = 0.01  # of a text's letters
_READ = "PDF, DOCX, PPTX, XLSX, HTML, Markdown, text, .eml and pictures are"


def kind_of(data: bytes, name: str) -> str:
    """The kind of a file.

    Args:
        name: the file's, which tells texts apart.

    Raises:
        DocumentError: nothing here reads such a file.
    """
    if not data:
        raise DocumentError(f"{name} is empty (0 bytes); get the file again.")
    if b"%PDF-" in data[:1024]:  # where readers look for it
        return "pdf"
    if _PICTURE.match(data):
        return "picture"
    if data.startswith(b"PK\x03\x04"):
        return _archive(data, name)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise DocumentError(f"{name} is locked with a password; save it without one.")
        raise DocumentError(f"{name} is a file of an old office program; save it as DOCX, PPTX or XLSX.")
    if data.startswith(b"{\\rtf"):
        raise DocumentError(f"{name} is an RTF file; save it as DOCX.")
    return _text(data, name)


def _archive(data: bytes, name: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise DocumentError(f"{name} is cut short or damaged; get the file again.") from error
    for member, kind in _ARCHIVES.items():
        if member in members:
            return kind
    raise DocumentError(f"{name} is an archive, but no DOCX, PPTX or XLSX file; unpack it, or save it as one of those.")


def _text(data: bytes, name: str) -> str:
    head = data[:_HEAD].decode(encoding_of(data), errors="replace")
    if sum(letter in _CONTROLS for letter in head) > _MOST_CONTROLS * len(head):
        raise DocumentError(f"{name} is no document that can be read: {_READ}.")
    named = _TEXTS.get(PurePath(name).suffix.lower())
    headers, _, _ = head.replace("\r\n", "\n").partition("\n\n")
    found = len({header.lower() for header in _HEADER.findall(headers)})
    if _HTML.match(head):
        return "html"
    if found >= _FEWEST_HEADERS and re.match(r"[!-9;-~]+:", headers):
        return "eml"
    return named or "text"
