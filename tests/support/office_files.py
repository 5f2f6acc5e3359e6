"""Office files and e-mails, made by the libraries that read them, and by hand where those make none."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import date, datetime
from email.message import EmailMessage

import docx
import openpyxl
import pptx
from docx.enum.text import WD_BREAK
from pptx.util import Inches


def saved(document: object) -> bytes:
    file = io.BytesIO()
    document.save(file)  # type: ignore[attr-defined]
    return file.getvalue()


def letter() -> bytes:
    """Two pages: a heading, a paragraph, a list and a table; a page break; a last paragraph."""
    document = docx.Document()
    document.add_heading("Terms", 1)
    document.add_paragraph("The term is two years.")
    document.add_paragraph("first item", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for row, texts in zip(table.rows, (("Item", "Price"), ("Paper", "12.50")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph("Signed in Lyon.")
    return saved(document)


def long_letter() -> bytes:
    document = docx.Document()
    for number in range(40):
        document.add_paragraph(f"Paragraph {number}: " + "words and words " * 20)
    return saved(document)


def slides() -> bytes:
    presentation = pptx.Presentation()
    for number in (1, 2):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = f"Slide title {number}"
        slide.placeholders[1].text = "a point\nanother"
    table = slide.shapes.add_table(1, 2, Inches(1), Inches(4), Inches(4), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    slide.notes_slide.notes_text_frame.text = "say hello"
    return saved(presentation)


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sales"
    sheet.append(["Day", "Amount", "Share"])
    sheet.append([date(2025, 3, 31), 1200.0, 0.25])
    sheet.append([datetime(2025, 4, 1, 9, 30), 7, None])
    book.create_sheet("Empty")
    return saved(book)


def mail(attached: Mapping[str, bytes] = {}, html: str | None = None) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = "Ada <ada@site.example>", "bo@site.example"
    message["Subject"] = "The offer – für Sie"
    message.set_content("Dear Bo,\nhere it is.")
    if html is not None:
        message.add_alternative(html, subtype="html")
    for name, data in attached.items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def with_member(archive: bytes, name: str, data: bytes) -> bytes:
    """An archive with another member in place of one."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, data if member.filename == name else old.read(member))
        if name not in old.namelist():
            new.writestr(name, data)
    return file.getvalue()
