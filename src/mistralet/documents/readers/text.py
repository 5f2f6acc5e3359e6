"""Plain text and Markdown, in whichever encoding. A form feed begins a page; text without any is cut into portions."""

from __future__ import annotations

import codecs
import re

from mistralet.documents.document import Page
from mistralet.documents.readers.portions import portions
from mistralet.documents.readers.unreadable import Limits

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HEAD = 4096  # bytes by which UTF-16 is told


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    text = decoded(data)
    limits.check(0, len(text))
    texts = text.split("\f") if "\f" in text else paged(text)
    limits.check(len(texts), 0)
    return [Page(number, each.strip("\n")) for number, each in enumerate(texts, 1)]


def paged(text: str) -> list[str]:
    """Text in portions; at least one."""
    return [portion.text for portion in portions(re.split(r"\n\s*\n", text.strip("\n")))] or [""]


def decoded(data: bytes) -> str:
    """Text of bytes, whichever way its lines end."""
    return data.decode(encoding_of(data), errors="replace").replace("\r\n", "\n").replace("\r", "\n")


def encoding_of(data: bytes) -> str:
    """The encoding of a text: told by its mark, UTF-16 without one, UTF-8, or else Windows' Western one."""
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    head = data[:_HEAD]
    # Every second byte of UTF-16 is zero where letters are Western.
    for name, zeros, letters in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if zeros.count(0) > len(zeros) * 0.7 and letters.count(0) == 0:
            return name
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"
