"""Word documents (DOCX), through python-docx: paragraphs and tables in order, notes at the end of their page.

Text is gathered here and not by python-docx, which leaves out what was inserted with changes tracked, and what lies in
content controls or text boxes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mistralet.documents.document import Page, Table
from mistralet.documents.readers.office import opened
from mistralet.documents.readers.portions import portions
from mistralet.documents.readers.unreadable import Limits

_BREAK = "\f"
# Properties; what was deleted or moved away with changes tracked; a second form of a text box for old programs.
_LEFT_OUT = frozenset(("pPr", "rPr", "sdtPr", "tblPr", "del", "moveFrom", "Fallback"))
_NOTES = {"footnoteReference": "footnotes", "endnoteReference": "endnotes"}


@dataclass(frozen=True)
class _Block:
    """A paragraph, or the text of a table."""

    text: str  # with a form feed for each page that begins in it
    table: Table | None = None


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`. Pages end where the file says so; a file that says it nowhere is cut into portions."""
    import docx

    document = opened(data, docx.Document)
    blocks = []
    characters = 0
    for block in _all_blocks(document):
        blocks.append(block)
        characters += len(block.text)
        limits.check(0, characters)
    gathered = _paged(blocks) if any(_BREAK in block.text for block in blocks) else _portioned(blocks)
    limits.check(len(gathered), 0)
    notes = _notes(document)
    return [
        Page(number, _with_notes(text, notes), tuple(block.table for block in begun if block.table))
        for number, (text, begun) in enumerate(gathered, 1)
    ]


def _all_blocks(document: Any) -> Iterator[_Block]:
    """What headers say, the document, what footers say; each once, though it is seen on every page."""
    sections = list(document.sections)
    yield from _edges([section.header for section in sections])
    yield from _blocks(document.element.body, document)
    yield from _edges([section.footer for section in sections])


def _edges(edges: list[Any]) -> Iterator[_Block]:
    texts = ["\n".join(block.text for block in _blocks(edge._element, edge) if block.text.strip()) for edge in edges]
    for text in dict.fromkeys(texts):
        yield _Block(text.replace(_BREAK, ""))


def _blocks(element: Any, parent: Any) -> Iterator[_Block]:
    from docx.table import Table as DocxTable
    from docx.text.paragraph import Paragraph

    for child in element.iterchildren():
        tag = _tag(child)
        if tag == "p":
            yield _Block(_paragraph(Paragraph(child, parent)))
        elif tag == "tbl":
            table = Table(tuple(tuple(_cells(row)) for row in DocxTable(child, parent).rows))
            yield _Block("\n".join(" | ".join(row) for row in table.rows), table)
        elif tag not in _LEFT_OUT:
            yield from _blocks(child, parent)


def _cells(row: Any) -> Iterator[str]:
    """The text of each cell; one that is merged of several is told once, followed by empty ones."""
    last = None
    for cell in row.cells:
        texts = [] if cell._tc is last else [block.text.replace(_BREAK, "") for block in _blocks(cell._tc, cell)]
        last = cell._tc
        yield "\n".join(texts).strip()


def _paragraph(paragraph: Any) -> str:
    text = "".join(_text(paragraph._p))
    properties = paragraph._p.pPr
    is_item = properties is not None and (
        properties.numPr is not None
        or (paragraph.style is not None and (paragraph.style.name or "").startswith("List"))
    )
    return f"- {text}" if is_item and text.strip() else text


def _text(element: Any) -> Iterator[str]:
    for child in element.iterchildren():
        tag = _tag(child)
        if tag == "t":
            yield child.text or ""
        elif tag == "tab":
            yield "\t"
        elif tag == "lastRenderedPageBreak":
            yield _BREAK
        elif tag == "noBreakHyphen":
            yield "-"
        elif tag in ("br", "cr"):
            yield _BREAK if _attribute(child, "type") == "page" else "\n"
        elif tag in _NOTES:
            yield _mark(_NOTES[tag], _attribute(child, "id"))
        elif tag not in _LEFT_OUT:
            yield from _text(child)
            if tag == "p":  # of a text box
                yield "\n"


def _tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _attribute(element: Any, name: str) -> str:
    return str(element.get(f"{{{element.nsmap['w']}}}{name}"))


def _mark(kind: str, number: str) -> str:
    return f"[^{'e' * (kind == 'endnotes')}{number}]"


def _notes(document: Any) -> dict[str, str]:
    """Footnotes and endnotes, which python-docx does not know, by the mark in the text."""
    from lxml import etree

    notes = {}
    for part in document.part.package.iter_parts():
        kind = str(part.partname).rpartition("/")[2].removesuffix(".xml")
        if kind in _NOTES.values():
            root = etree.fromstring(part.blob, etree.XMLParser(resolve_entities=False, no_network=True))
            for note in root.iterchildren():
                text = " ".join("".join(_text(paragraph)).strip() for paragraph in note.iterchildren())
                notes[_mark(kind, _attribute(note, "id"))] = text.strip()
    return notes


def _with_notes(text: str, notes: dict[str, str]) -> str:
    return "\n\n".join([text, *(f"{mark}: {note}" for mark, note in notes.items() if note and mark in text)])


def _portioned(blocks: list[_Block]) -> list[tuple[str, list[_Block]]]:
    found = portions(block.text for block in blocks)
    return [(portion.text, [blocks[place] for place in portion.paragraphs]) for portion in found] or [("", [])]


def _paged(blocks: list[_Block]) -> list[tuple[str, list[_Block]]]:
    """The text of each page, and the blocks that begin on it."""
    pages: list[list[str]] = [[]]
    begun: list[list[_Block]] = [[]]
    for block in blocks:
        first, *rest = block.text.split(_BREAK)
        pages[-1].append(first)
        begun[-1].append(block)
        for piece in rest:
            # Word notes where a page ended when it was last shown, also right after a break that says the same.
            if any(text.strip() for text in pages[-1]):
                pages.append([])
                begun.append([])
            pages[-1].append(piece)
    texts = ["\n\n".join(text for text in page if text.strip()) for page in pages]
    return list(zip(texts, begun, strict=True))
