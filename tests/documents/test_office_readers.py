"""What office programs keep beside plain paragraphs is read, too, and stands on its page."""

from __future__ import annotations

from collections.abc import Callable

import docx
import openpyxl
import pptx
import pytest
from docx.enum.text import WD_BREAK
from docx.oxml import parse_xml
from pptx.util import Inches

from mistralet.documents import Page, Table
from mistralet.documents.opening import open_bytes
from support.office_files import saved, with_member

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
NOTES = (
    f'<?xml version="1.0"?><w:footnotes {W}>'
    '<w:footnote w:id="0" w:type="separator"><w:p><w:r><w:separator/></w:r></w:p></w:footnote>'
    '<w:footnote w:id="2"><w:p><w:r><w:t>Of the </w:t></w:r><w:r><w:t>lessee.</w:t></w:r></w:p></w:footnote>'
    "</w:footnotes>"
)


def pages_of(change: Callable[[docx.document.Document], None]) -> list[Page]:
    document = docx.Document()
    change(document)
    return list(open_bytes(saved(document), "a.docx").pages)


def add_xml(document: docx.document.Document, xml: str) -> None:
    document.element.body.insert(len(document.element.body) - 1, parse_xml(xml))


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("<w:ins w:id='1'><w:r><w:t>three</w:t></w:r></w:ins>", "Notice: three"),
        ("<w:del w:id='1'><w:r><w:delText>two</w:delText></w:r></w:del><w:r><w:t>four</w:t></w:r>", "Notice: four"),
        ("<w:sdt><w:sdtContent><w:r><w:t>chosen</w:t></w:r></w:sdtContent></w:sdt>", "Notice: chosen"),
        ("<w:hyperlink><w:r><w:t>a link</w:t></w:r></w:hyperlink>", "Notice: a link"),
        ("<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r>", "Notice: a\tb\nc"),
    ],
    ids=["inserted", "deleted", "control", "link", "tab and line"],
)
def test_the_text_of_a_paragraph_is_what_is_seen(inside: str, text: str) -> None:
    xml = f"<w:p {W}><w:r><w:t xml:space='preserve'>Notice: </w:t></w:r>{inside}</w:p>"
    (page,) = pages_of(lambda document: add_xml(document, xml))
    assert page.text == text


def test_paragraphs_and_tables_in_content_controls() -> None:
    cell = "<w:tc><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc>"
    xml = (
        f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>inside</w:t></w:r></w:p>"
        f"<w:tbl><w:tblPr/><w:tblGrid/><w:tr>{cell}</w:tr></w:tbl></w:sdtContent></w:sdt>"
    )
    (page,) = pages_of(lambda document: add_xml(document, xml))
    assert page.text == "inside\n\ncell"
    assert page.tables == (Table((("cell",),)),)


def test_a_merged_cell_is_told_once() -> None:
    def change(document: docx.document.Document) -> None:
        table = document.add_table(rows=2, cols=3)
        table.cell(0, 0).merge(table.cell(0, 1)).text = "wide"
        table.cell(0, 2).text, table.cell(1, 0).text = "c", "a"

    (page,) = pages_of(change)
    assert page.tables == (Table((("wide", "", "c"), ("a", "", ""))),)
    assert page.text == "wide |  | c\na |  | "


def test_tables_of_a_letter_without_pages_stand_with_their_portion() -> None:
    def change(document: docx.document.Document) -> None:
        for name in ("first", "second"):
            for number in range(12):
                document.add_paragraph(f"{name} {number}: " + "words and words " * 20)
            document.add_table(rows=1, cols=1).cell(0, 0).text = f"{name} table"

    found = [(page.text, table.rows[0][0]) for page in pages_of(change) for table in page.tables]
    assert [name for _, name in found] == ["first table", "second table"]
    assert all(name in text for text, name in found)
    assert found[0][0] != found[1][0]


def test_headers_come_first_and_footers_last_each_once() -> None:
    def change(document: docx.document.Document) -> None:
        document.sections[0].header.paragraphs[0].text = "Ada Ltd."
        document.sections[0].footer.paragraphs[0].text = "Bank: 123"
        document.add_paragraph("one").add_run().add_break(WD_BREAK.PAGE)
        document.add_section()
        document.add_paragraph("two")

    assert [page.text for page in pages_of(change)] == ["Ada Ltd.\n\none", "two\n\nBank: 123"]


def test_a_note_stands_at_the_end_of_the_page_that_refers_to_it() -> None:
    document = docx.Document()
    document.add_paragraph("first").add_run().add_break(WD_BREAK.PAGE)
    paragraph = document.add_paragraph("The notice")
    paragraph._p.append(parse_xml(f"<w:r {W}><w:footnoteReference w:id='2'/></w:r>"))
    document.add_paragraph().add_run().add_break(WD_BREAK.PAGE)
    document.add_paragraph("third")
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    content = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = docx.opc.part.Part(docx.opc.packuri.PackURI("/word/footnotes.xml"), content, NOTES.encode())
    document.part.relate_to(part, kind)
    texts = [page.text for page in open_bytes(saved(document), "a.docx").pages]
    assert texts == ["first", "The notice[^2]\n\n[^2]: Of the lessee.", "third"]


def test_shapes_in_groups_on_a_slide() -> None:
    presentation = pptx.Presentation()
    slide = presentation.slides.add_slide(presentation.slide_layouts[6])
    inner = slide.shapes.add_group_shape().shapes.add_group_shape().shapes
    inner.add_textbox(Inches(1), Inches(1), Inches(1), Inches(1)).text_frame.text = "deep"
    assert open_bytes(saved(presentation), "a.pptx").page(1).text == "deep"


def test_formulas_have_the_value_they_had_when_it_was_saved() -> None:
    book = openpyxl.Workbook()
    book.active.append([True, "=1+1"])
    data = saved(book)
    with_value = with_member(
        data,
        "xl/worksheets/sheet1.xml",
        b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1" t="b"><v>1</v></c><c r="B1"><f>1+1</f><v>2</v></c></row></sheetData></worksheet>',
    )
    assert open_bytes(with_value, "a.xlsx").page(1).text == "Sheet\n\nTRUE | 2"
    assert open_bytes(data, "a.xlsx").page(1).text == "Sheet\n\nTRUE"
