"""Pages of the corpus, set by reportlab in its own Vera fonts: the same bytes each time."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from mistralet.documents.pdf_fonts import BOLD, FONT, ITALIC, register_fonts

Flow = list[Any]  # reportlab's flowables
Decorate = Callable[[Any, Any], None]  # draws header and footer: canvas and template


def pdf_of(flow: Flow, title: str, decorate: Decorate = lambda _canvas, _template: None) -> bytes:
    """A PDF file of what flows over as many A4 pages as it needs."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    file = io.BytesIO()
    template = SimpleDocTemplate(
        file,
        pagesize=A4,
        title=title,
        author="",
        invariant=1,
        leftMargin=62,
        rightMargin=62,
        topMargin=74,
        bottomMargin=66,
    )
    template.build(flow, onFirstPage=decorate, onLaterPages=decorate)
    return file.getvalue()


@cache
def styles() -> dict[str, Any]:
    """Paragraph styles by name."""
    register_fonts()
    from reportlab.lib.styles import ParagraphStyle

    body = ParagraphStyle("body", fontName=FONT, fontSize=9.5, leading=13.5, spaceAfter=6)
    return {
        "body": body,
        "small": ParagraphStyle("small", body, fontSize=8, leading=11),
        "title": ParagraphStyle("title", body, fontName=BOLD, fontSize=17, leading=22, spaceAfter=14),
        "heading": ParagraphStyle(
            "heading", body, fontName=BOLD, fontSize=11.5, leading=15, spaceBefore=10, spaceAfter=5
        ),
        "note": ParagraphStyle("note", body, fontName=ITALIC, leftIndent=14, borderPadding=4),
    }


def text(words: str, style: str = "body") -> Any:
    """A paragraph."""
    from xml.sax.saxutils import escape

    from reportlab.platypus import Paragraph

    return Paragraph(escape(words), styles()[style])


def space(points: float) -> Any:
    """Room between two things."""
    from reportlab.platypus import Spacer

    return Spacer(1, points)


def new_page() -> Any:
    """What follows begins on a new page."""
    from reportlab.platypus import PageBreak

    return PageBreak()


def table(rows: Sequence[Sequence[str]], widths: Sequence[float], numbers: Sequence[int] = ()) -> Any:
    """A table whose first row is its head; columns in `numbers` are set to the right."""
    from reportlab.lib import colors
    from reportlab.platypus import Table, TableStyle

    styles()
    made = Table([list(row) for row in rows], colWidths=list(widths), repeatRows=1)
    commands: list[Any] = [
        ("FONT", (0, 0), (-1, -1), FONT, 8.5, 11),
        ("FONT", (0, 0), (-1, 0), BOLD, 8.5, 11),
        ("LINEBELOW", (0, 0), (-1, 0), 0.8, colors.black),
        ("LINEBELOW", (0, 1), (-1, -1), 0.25, colors.grey),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        *(("ALIGN", (column, 0), (column, -1), "RIGHT") for column in numbers),
    ]
    made.setStyle(TableStyle(commands))
    return made
