"""Plain text and Markdown, in whichever encoding. A form feed begins a page; text without any is cut into portions."""

from __future__ import annotations

import codecs
import re

from mistralet.documents.document import Page
from mistralet.documents.readers.portions import portions
from mistralet.documents.readers.unreadable import Limits

_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    text = decoded(data)
    limits.check(0, len(text))
    texts = text.split("\f") if "\f" in text else paged(text)
    limits.check(len(texts), 0)
    return [Page(number, each.strip("\n")) for number, each in enumerate(texts, 1)]


def paged(text: str) -> list[str]:
    """Text in portions; at least one."""
    return portions(re.split(r"\n\s*\n", text.strip("\n"))) or [""]


def decoded(data: bytes) -> str:
    """Text of bytes: by their mark, as UTF-8, or else as Windows' Western encoding, which takes anything."""
    encoding = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
