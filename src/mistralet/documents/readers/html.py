"""HTML pages: what a person reads of them, in portions, and their tables."""

from __future__ import annotations

import re

from mistralet.documents.document import Page, Table
from mistralet.documents.readers.text import paged
from mistralet.documents.readers.unreadable import Limits
from mistralet.page_text import page_text

_CHARSET = re.compile(rb"""<meta[^>]+charset=["']?([A-Za-z0-9_-]{1,40})""", re.IGNORECASE)


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    return html_pages(_decoded(data), limits)


def html_pages(html: str, limits: Limits) -> list[Page]:
    """The pages of a text in HTML."""
    text = page_text(html, url=None)
    texts = paged(text)
    limits.check(len(texts), len(text))
    tables: list[list[Table]] = [[] for _ in texts]
    number = place = 0
    for table in _tables(html):
        number, place = _found(texts, number, place, table)
        tables[number].append(table)
    return [
        Page(number, each, tuple(stated)) for number, (each, stated) in enumerate(zip(texts, tables, strict=True), 1)
    ]


def _found(texts: list[str], number: int, place: int, table: Table) -> tuple[int, int]:
    """The text in which a table stands, and the place behind its first cell; it comes behind `place` of a text."""
    cell = next((cell for row in table.rows for cell in row if cell), "")
    for later in range(number, len(texts)):
        found = texts[later].find(cell, place if later == number else 0)
        if found >= 0:
            return later, found + len(cell)
    return number, place


def _tables(html: str) -> tuple[Table, ...]:
    from selectolax.lexbor import LexborHTMLParser

    found = []
    for table in LexborHTMLParser(html).css("table"):
        if table.css("table table"):
            continue  # a layout, not a table
        rows = [
            tuple(" ".join(cell.text().split()) for cell in row.css("td, th"))
            for row in table.css("tr")
            if row.css("td, th")
        ]
        if rows:
            found.append(Table(tuple(rows)))
    return tuple(found)


def _decoded(data: bytes) -> str:
    from mistralet.documents.readers.text import decoded

    declared = _CHARSET.search(data[:4096])
    if declared and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode(declared[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass
    return decoded(data)
