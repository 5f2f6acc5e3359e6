"""What kind of document a file is, told by what it holds and not by what it is called."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePath

from mistralet.errors import DocumentError

# By the first bytes of a file.
_MAGIC = {
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
    b"GIF8": "picture",
    b"BM": "picture",
    b"II*\0": "picture",
    b"MM\0*": "picture",
}
# By a member that such a file always has.
_ARCHIVES = {"word/document.xml": "docx", "ppt/presentation.xml": "pptx", "xl/workbook.xml": "xlsx"}
# Text is told apart by its name: an e-mail, a page and notes may begin alike.
_TEXTS = {
    **dict.fromkeys((".htm", ".html", ".xhtml"), "html"),
    **dict.fromkeys((".eml",), "eml"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
}
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
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "picture"
    if data.startswith(b"PK\x03\x04"):
        return _archive(data, name)
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise DocumentError(f"{name} is an old or encrypted office file; save it as DOCX, PPTX or XLSX.")
    if b"\0" in data[:4096] and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise DocumentError(f"{name} is no document that can be read: {_READ}.")
    return _TEXTS.get(PurePath(name).suffix.lower()) or ("html" if _looks_like_html(data) else "text")


def _archive(data: bytes, name: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise DocumentError(f"{name} is cut short or damaged; get the file again.") from error
    for member, kind in _ARCHIVES.items():
        if member in members:
            return kind
    raise DocumentError(f"{name} is an archive, but no DOCX, PPTX or XLSX; unpack it, and give what is in it.")


def _looks_like_html(data: bytes) -> bool:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith((b"<!doctype html", b"<html"))
