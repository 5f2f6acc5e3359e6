"""Text without pages to portions of about a page."""

from __future__ import annotations

from collections.abc import Iterable

_LETTERS = 3000  # of a portion, about a page


def portions(paragraphs: Iterable[str]) -> list[str]:
    """Whole paragraphs, as many as make a page; a longer one is cut between lines, or between words."""
    pages: list[list[str]] = [[]]
    size = 0
    for paragraph in paragraphs:
        for piece in _pieces(paragraph):
            if pages[-1] and size + len(piece) > _LETTERS:
                pages.append([])
                size = 0
            pages[-1].append(piece)
            size += len(piece)
    return ["\n\n".join(page) for page in pages if page]


def _pieces(paragraph: str) -> Iterable[str]:
    while len(paragraph) > _LETTERS:
        cut = paragraph.rfind("\n", 0, _LETTERS)
        if cut < _LETTERS // 2:
            cut = paragraph.rfind(" ", 0, _LETTERS)
        if cut < _LETTERS // 2:
            cut = _LETTERS
        yield paragraph[:cut].rstrip()
        paragraph = paragraph[cut:].lstrip()
    if paragraph:
        yield paragraph
