"""How a reader says no, and how much it may read."""

from __future__ import annotations

from dataclasses import dataclass

DAMAGED = "it is damaged; get the file again"  # see `Page.unread`


class UnreadableError(Exception):
    """Why a file, or a page, is not read: the end of a sentence that begins with its name."""


class DamagedPageError(UnreadableError):
    """A page is damaged; others of the file may be read."""


@dataclass(frozen=True)
class Limits:
    """How much is read of one file."""

    pages: int
    characters: int

    def check(self, pages: int, characters: int) -> None:
        """Raises `UnreadableError` if that is too much."""
        if pages > self.pages:
            raise UnreadableError(f"has {pages:,} pages, but at most {self.pages:,} are read; split it")
        if characters > self.characters:
            raise UnreadableError(f"has more than {self.characters:,} characters of text; split it")
