"""`report`: sections after an outline, written from documents, with numbered sources."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from mistralet.chat import ChatModel, ChatRequest, ContentDelta, Message, Part, Reply, TextPart
from mistralet.documents.citing import Citer, Statement
from mistralet.documents.document import Box, Document
from mistralet.documents.events import FlowEvent, Planned, Progress, TextDelta
from mistralet.documents.journal import Journal
from mistralet.documents.passages import sentences
from mistralet.documents.quotes import Citation
from mistralet.documents.reading import choose_pages, page_parts
from mistralet.documents.search import Index
from mistralet.engine.sampling import SamplingParams
from mistralet.errors import UsageError

_TOKENS = 500  # of a section
_SAID = 200  # characters of each section before that the model is reminded of
_INSTRUCTIONS = (
    "You write one section of a report from documents, from what they say and nothing else, in their language. Write "
    "connected prose without headings or lists, keep names, numbers and dates, and do not repeat what was said before."
)


@dataclass(frozen=True)
class Section:
    """A section, sentence by sentence, with what each rests on."""

    title: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Report:
    """A report, and all its sources in the order of their numbers."""

    sections: tuple[Section, ...]
    sources: tuple[Citation, ...]


def outline_of(text: str) -> list[str]:
    """The titles of an outline: lines of Markdown, headings or list items, or parts between semicolons.

    Raises:
        UsageError: there are none.
    """
    lines = text.split("\n") if "\n" in text.strip() else text.split(";")
    titles = [re.sub(r"^\s*(?:#+|[-*•]|\d+[.)])\s*", "", line).strip() for line in lines]
    found = [title for title in titles if title]
    if not found:
        raise UsageError("The outline is empty; name its sections, one a line, or between semicolons.")
    return found


async def report(
    model: ChatModel, documents: Sequence[Document], outline: Sequence[str], journal: Journal | None = None
) -> AsyncGenerator[FlowEvent | Report, None]:
    """Write a report; its text comes as it is written, the `Report` last.

    Each section is written from the pages that fit its title best.

    Args:
        journal: keeps finished sections, which a run that goes on does not write again.

    Raises:
        DocumentError: the documents cannot be read by this model.
        EngineError: see `ChatModel.stream`.
    """
    index = await asyncio.to_thread(Index, documents)
    known = [_known(journal, title, place) for place, title in enumerate(outline)]
    done = sum(section is not None for section in known)
    yield Planned(f"{len(outline)} sections" + (f", {done} of them written already." if done else "."))
    sections: list[Section] = []
    for place, title in enumerate(outline):
        section = known[place]
        if section is None:
            yield Progress("Writing sections", place, len(outline))
            yield TextDelta(f"## {title}\n\n")
            reading = await choose_pages(model, documents, index, title, _TOKENS)
            reply = Reply()
            request = _request(page_parts(reading.pages), title, outline, sections)
            async for event in model.stream(request, SamplingParams(temperature=0, max_tokens=_TOKENS)):
                reply.add(event)
                if isinstance(event, ContentDelta):
                    yield TextDelta(event.text)
            yield TextDelta("\n\n")
            citer = Citer(model, reading.pages, index)
            statements = [await citer.statement(reply.text[start:end]) for start, end in sentences(reply.text)]
            section = Section(title, tuple(statements))
            if journal is not None:
                journal.add(_record(section, place))
        sections.append(section)
    yield Progress("Writing sections", len(outline), len(outline))
    cited = (citation for section in sections for each in section.statements for citation in each.citations)
    yield Report(tuple(sections), tuple(dict.fromkeys(cited)))


def markdown(written: Report, title: str) -> str:
    """The report in Markdown, with its sources at the end."""
    numbers = {citation: number for number, citation in enumerate(written.sources, 1)}
    pieces = [f"# {title}"]
    for section in written.sections:
        told = " ".join(_numbered(statement, numbers) for statement in section.statements)
        pieces += [f"## {section.title}", told]
    if numbers:
        lines = [
            f"{number}. {source.document}, page {source.page}: “{' '.join(source.quote.split())}”"
            for source, number in numbers.items()
        ]
        pieces += ["## Sources", "\n".join(lines)]
    return "\n\n".join(pieces) + "\n"


def _numbered(statement: Statement, numbers: dict[Citation, int]) -> str:
    marks = "".join(f" [{numbers[citation]}]" for citation in statement.citations)
    return f"{' '.join(statement.text.split())}{marks}"


def _request(parts: Sequence[Part], title: str, outline: Sequence[str], sections: Sequence[Section]) -> ChatRequest:
    said = "\n".join(
        f"- {section.title}: {' '.join(each.text for each in section.statements)[:_SAID]}" for section in sections
    )
    before = f"Said before:\n{said}\n\n" if said else ""
    asked = f"The report's sections: {'; '.join(outline)}\n\n{before}Write the section “{title}”."
    return ChatRequest([Message("system", _INSTRUCTIONS), Message("user", (*parts, TextPart(asked)))])


def _record(section: Section, place: int) -> dict[str, object]:
    statements = [{"text": each.text, "citations": list(map(_told, each.citations))} for each in section.statements]
    return {"file": section.title, "digest": str(place), "statements": statements}


def _told(citation: Citation) -> dict[str, object]:
    boxes = [[box.left, box.top, box.right, box.bottom] for box in citation.boxes]
    return {"document": citation.document, "page": citation.page, "quote": citation.quote, "boxes": boxes}


def _known(journal: Journal | None, title: str, place: int) -> Section | None:
    record = journal.get(title, str(place)) if journal is not None else None
    if record is None:
        return None
    statements = [
        Statement(each["text"], tuple(_citation(**told) for told in each["citations"])) for each in record["statements"]
    ]
    return Section(title, tuple(statements))


def _citation(boxes: list[list[float]], **told: Any) -> Citation:
    return Citation(**told, boxes=tuple(Box(*box) for box in boxes))
