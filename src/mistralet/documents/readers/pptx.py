"""Slides (PPTX), through python-pptx: a page for each, with its tables and the speaker's notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mistralet.documents.document import Page, Table
from mistralet.documents.readers.office import opened
from mistralet.documents.readers.unreadable import Limits


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    import pptx

    presentation = opened(data, pptx.Presentation)
    slides = list(presentation.slides)
    limits.check(len(slides), 0)
    read = []
    for number, slide in enumerate(slides, 1):
        texts: list[str] = []
        tables: list[Table] = []
        for shape in _shapes(slide.shapes):
            if getattr(shape, "has_table", False):
                table = Table(tuple(tuple(cell.text.strip() for cell in row.cells) for row in shape.table.rows))
                tables.append(table)
                texts.append("\n".join(" | ".join(row) for row in table.rows))
            elif shape.has_text_frame and shape.text_frame.text.strip():
                texts.append(shape.text_frame.text.replace("\v", "\n").strip())
        if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None and frame.text.strip():
            texts.append(f"Notes: {frame.text.strip()}")
        read.append(Page(number, "\n\n".join(texts), tuple(tables), label=f"slide {number}"))
    limits.check(0, sum(len(page.text) for page in read))
    return read


def _shapes(shapes: Any) -> Iterator[Any]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape
