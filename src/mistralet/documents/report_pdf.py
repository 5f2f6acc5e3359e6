"""`report_pdf`: a report as a PDF file, with page numbers and its list of sources."""

from __future__ import annotations

import io
from typing import Any
from xml.sax.saxutils import escape

from mistralet.documents.pdf_fonts import BOLD, FONT, register_fonts
from mistralet.documents.report import Report


def report_pdf(written: Report, title: str) -> bytes:
    """The file. Raises `DocumentError` if reportlab is not installed."""
    register_fonts()
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    body = ParagraphStyle("body", fontName=FONT, fontSize=10, leading=15, spaceAfter=8)
    small = ParagraphStyle("small", body, fontSize=8, leading=11.5, spaceAfter=4)
    heading = ParagraphStyle("heading", body, fontName=BOLD, fontSize=13, leading=18, spaceBefore=14)
    first = ParagraphStyle("first", heading, fontSize=20, leading=26, spaceBefore=0, spaceAfter=12)
    numbers = {citation: number for number, citation in enumerate(written.sources, 1)}
    flow: list[Any] = [Paragraph(escape(title), first)]
    for section in written.sections:
        told = []
        for statement in section.statements:
            marks = ", ".join(str(numbers[citation]) for citation in statement.citations)
            told.append(escape(" ".join(statement.text.split())) + (f" <super size=7>{marks}</super>" if marks else ""))
        flow += [Paragraph(escape(section.title), heading), Paragraph(" ".join(told), body)]
    if numbers:
        flow.append(Paragraph("Sources", heading))
    for source, number in numbers.items():
        quote = " ".join(source.quote.split())
        flow.append(Paragraph(escape(f"{number}. {source.document}, page {source.page}: “{quote}”"), small))
    file = io.BytesIO()
    margins = {"leftMargin": 72, "rightMargin": 72, "topMargin": 72, "bottomMargin": 72}
    SimpleDocTemplate(file, pagesize=A4, title=title, author="", invariant=1, **margins).build(
        flow, onFirstPage=_footer, onLaterPages=_footer
    )
    return file.getvalue()


def _footer(canvas: Any, _template: Any) -> None:
    canvas.setFont(FONT, 8)
    canvas.drawCentredString(297, 40, str(canvas.getPageNumber()))
