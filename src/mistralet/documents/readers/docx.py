"""Word documents (DOCX), through python-docx: paragraphs and tables in order, notes at the end of their page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mistralet.documents.document import Page, Table
from mistralet.documents.readers.office import opened
from mistralet.documents.readers.portions import portions
from mistralet.documents.readers.unreadable import Limits

_BREAK = "\f"


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`. Pages end where the file says so; a file that says it nowhere is cut into portions."""
    import docx

    document = opened(data, docx.Document)
    blocks: list[str] = []
    tables: dict[int, list[Table]] = {}  # by the block that is their text
    for block in document.iter_inner_content():
        if hasattr(block, "rows"):
            table = Table(tuple(tuple(cell.text.strip() for cell in row.cells) for row in block.rows))
            tables.setdefault(len(blocks), []).append(table)
            blocks.append("\n".join(" | ".join(row) for row in table.rows))
        else:
            blocks.append(_paragraph(block))
        limits.check(0, sum(map(len, blocks[-1:])))
    blocks += _notes(document)
    limits.check(0, sum(map(len, blocks)))
    return _paged(blocks, tables, limits)


def _paragraph(paragraph: Any) -> str:
    """A paragraph's text, with a form feed for each page that begins in it."""
    pieces: list[str] = []
    for run in paragraph.iter_inner_content():
        for part in run.runs if hasattr(run, "runs") else [run]:
            pieces += _run(part)
    text = "".join(pieces)
    is_item = (paragraph.style.name or "").startswith("List") if paragraph.style is not None else False
    return f"- {text}" if is_item and text.strip() else text


def _run(run: Any) -> Iterator[str]:
    for child in run._r.iterchildren():
        tag = child.tag.rpartition("}")[2]
        if tag == "t":
            yield child.text or ""
        elif tag == "tab":
            yield "\t"
        elif tag == "lastRenderedPageBreak":
            yield _BREAK
        elif tag == "noBreakHyphen":
            yield "-"
        elif tag in ("br", "cr"):
            yield _BREAK if child.get(f"{{{child.nsmap['w']}}}type") == "page" else "\n"


def _notes(document: Any) -> list[str]:
    """Footnotes and endnotes, which python-docx does not know."""
    notes = []
    for part in document.part.package.iter_parts():
        if part.partname.endswith(("/footnotes.xml", "/endnotes.xml")):
            from lxml import etree

            root = etree.fromstring(part.blob, etree.XMLParser(resolve_entities=False, no_network=True))
            space = {"w": "http://schemas.openxmlformats.org/wordprocessingml/2006/main"}
            for note in root.iterchildren():
                text = "".join(note.xpath(".//w:t/text()", namespaces=space)).strip()
                if text:
                    notes.append(f"[Note] {text}")
    return notes


def _paged(blocks: list[str], tables: dict[int, list[Table]], limits: Limits) -> list[Page]:
    if not any(_BREAK in block for block in blocks):
        texts = portions(block for block in blocks if block.strip()) or [""]
        limits.check(len(texts), 0)
        stated = tuple(table for each in tables.values() for table in each)
        return [Page(number, text, stated if number == 1 else ()) for number, text in enumerate(texts, 1)]
    pages: list[list[str]] = [[]]
    kept: list[list[Table]] = [[]]
    for place, block in enumerate(blocks):
        first, *rest = block.split(_BREAK)
        pages[-1].append(first)
        kept[-1] += tables.get(place, [])
        for piece in rest:
            # Word notes where a page ended when it was last shown, also right after a break that says the same.
            if any(text.strip() for text in pages[-1]):
                pages.append([])
                kept.append([])
            pages[-1].append(piece)
    limits.check(len(pages), 0)
    return [
        Page(number, "\n\n".join(text for text in page if text.strip()), tuple(kept[number - 1]))
        for number, page in enumerate(pages, 1)
    ]
