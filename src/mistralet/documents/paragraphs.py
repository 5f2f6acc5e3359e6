"""The paragraphs of a document as an author wrote them: over ends of lines and pages, without headers and footers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mistralet.documents.document import Document, Page

# What a paragraph of a contract begins with: 4.2, (a), §3, Article 5, a bullet.
_NUMBER = re.compile(
    r"((?:§+\s*|Article\s+|Section\s+|Clause\s+|Artikel\s+|Art\.\s*)?\d+(?:\.\d+)*[.)]?(?=\s)|\([a-z\d]{1,3}\)(?=\s)|[•–*-](?=\s))"
)
_END = re.compile(r"[.!?:;…][\"”»)]?$")
_EDGE_LINES = 2  # at the top and the foot of a page, which may be header and footer
_SHORT = 0.75  # of the longest line: a line that ends earlier ends its paragraph, if it ends a sentence
_TITLE = 0.4  # of it: a line after the end of a sentence that is no longer begins something new
_HEADING = 60  # characters of a line that is one, at most


@dataclass(frozen=True)
class Paragraph:
    """A paragraph, on one line."""

    number: str  # that it is counted by, such as "4.2"; empty if it has none
    text: str  # without the number
    page: int  # on which it begins


def paragraphs(document: Document) -> list[Paragraph]:
    """The paragraphs of a document, in order."""
    repeated = _repeated(document.pages)
    found: list[Paragraph] = []
    goes_on = False  # the last paragraph, on the next page
    for page in document.pages:
        blocks = _blocks([line for line in page.text.split("\n") if _masked(line) not in repeated])
        for place, block in enumerate(blocks):
            paragraph = _paragraph(block, page.number)
            if place == 0 and goes_on and not paragraph.number:
                found[-1] = replace(found[-1], text=f"{found[-1].text} {paragraph.text}")
            else:
                found.append(paragraph)
        if blocks:
            goes_on = not _END.search(blocks[-1]) and len(blocks[-1]) > _HEADING
    return found


def _blocks(lines: Sequence[str]) -> list[str]:
    """Lines that belong together, each as one text."""
    longest = max((len(line.strip()) for line in lines), default=0)
    blocks: list[list[str]] = []
    ended = True
    for line in lines:
        stripped = " ".join(line.split())
        if not stripped:
            ended = True
            continue
        if ended or _NUMBER.match(stripped) or (_END.search(blocks[-1][-1]) and len(stripped) < _TITLE * longest):
            blocks.append([])
        blocks[-1].append(stripped)
        ended = len(stripped) < _SHORT * longest and (bool(_END.search(stripped)) or _is_heading(blocks[-1]))
    return [_on_one_line(block) for block in blocks]


def _is_heading(block: Sequence[str]) -> bool:
    """Whether lines are a title: one, short, that begins as one and ends without a full stop."""
    first = _NUMBER.sub("", block[0], count=1).strip()
    return len(block) == 1 and len(block[0]) <= _HEADING and first[:1].isupper()


def _on_one_line(lines: Sequence[str]) -> str:
    text = lines[0]
    for line in lines[1:]:
        parted = text.endswith("-") and text[-2:-1].isalpha() and line[:1].islower()
        text = text[:-1] + line if parted else f"{text} {line}"
    return text


def _paragraph(block: str, page: int) -> Paragraph:
    number = _NUMBER.match(block)
    if number is None or not block[number.end() :].strip():
        return Paragraph("", block, page)
    counted = number[1] if number[1].startswith("(") else number[1].rstrip(".)")
    return Paragraph(counted, block[number.end() :].strip(), page)


def _repeated(pages: Sequence[Page]) -> frozenset[str]:
    """What stands at the edge of most pages, but for its numbers."""
    counts: Counter[str] = Counter()
    for page in pages:
        lines = [line for line in page.text.split("\n") if line.strip()]
        edges = lines[:_EDGE_LINES] + lines[max(_EDGE_LINES, len(lines) - _EDGE_LINES) :]
        counts.update({_masked(line) for line in edges})
    return frozenset(line for line, count in counts.items() if count >= 2 and count > len(pages) / 2)


def _masked(line: str) -> str:
    return re.sub(r"\d+", "0", " ".join(line.split()))
