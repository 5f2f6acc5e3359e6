"""`Document`: what a file says, page by page, and where on the page it says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Box:
    """A place on a page, in points (1/72 inch) from the upper left corner of the page as it is shown."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Word:
    """A word of a page: `page.text[start:end]`."""

    start: int
    end: int
    box: Box


@dataclass(frozen=True)
class Table:
    """A table that the file states as one."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Page:
    """A page; where a format has none, a portion of the text."""

    number: int  # from 1
    text: str
    tables: tuple[Table, ...] = ()
    is_scan: bool = False  # a picture whose text was not read
    label: str = ""  # what people call it where that is no number, such as the name of a sheet
    # Width and height as it is shown, in points, where the file has pages of a size: what boxes are told in.
    size: tuple[float, float] | None = None
    unread: str = ""  # why nothing of it was read, and what to do; empty if it was


@dataclass(frozen=True)
class UnreadPage:
    """A page that is left out, while the others of its document are read."""

    document: str  # its name
    page: int
    why: str  # see `Page.unread`

    def __str__(self) -> str:
        return f"Page {self.page} of {self.document} was not read: {self.why}."


class PageSource(Protocol):
    """What of a document is read only when asked for. Raises `PageError` for a page that is damaged."""

    def words(self, number: int) -> tuple[Word, ...]:
        """The words of a page with their places; none where the format has no places."""

    def picture(self, number: int, side: int) -> bytes:
        """A page as a PNG file, `side` pixels along its longer side."""

    def marked(self, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
        """The file with places marked, given with the number of their page. Raises `DocumentError` if it is no PDF."""


@dataclass(frozen=True)
class Document:
    """A file that was opened."""

    name: str  # of the file
    kind: str  # "pdf", "docx", ...
    digest: str  # SHA-256 of the file, in hexadecimal
    pages: Sequence[Page]
    source: PageSource

    def page(self, number: int) -> Page:
        """A page by its number, from 1."""
        return self.pages[number - 1]

    @property
    def unread_pages(self) -> tuple[UnreadPage, ...]:
        """The pages of which nothing was read."""
        return tuple(UnreadPage(self.name, page.number, page.unread) for page in self.pages if page.unread)
