"""Reports: sections after an outline, each with its sources, written once."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mistralet.chat import TextPart
from mistralet.documents import Planned, TextDelta, find_quote
from mistralet.documents.journal import Journal
from mistralet.documents.opening import open_bytes
from mistralet.documents.report import Report, markdown, outline_of, report
from mistralet.documents.report_pdf import report_pdf
from mistralet.errors import UsageError
from support.documents import typed_document
from support.scripted_chat import ScriptedChat

LEASE = typed_document("The rent is 900 a month.", "The landlord repairs the roof.", name="lease.pdf")
OUTLINE = ["Rent", "Repairs"]


def events_of(model: ScriptedChat, journal: Journal | None = None) -> list[Any]:
    async def collect() -> list[Any]:
        return [event async for event in report(model, [LEASE], OUTLINE, journal)]

    return asyncio.run(collect())


def asked(model: ScriptedChat) -> list[str]:
    messages = [request.messages[-1] for request in model.requests]
    return ["".join(part.text for part in message.parts if isinstance(part, TextPart)) for message in messages]


def test_each_section_is_written_and_has_its_sources() -> None:
    model = ScriptedChat(["The rent is 900 a month. The landlord repairs the roof."])
    events = events_of(model)
    assert events[0] == Planned("2 sections.")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)).startswith("## Rent\n\nThe rent")
    written = events[-1]
    assert isinstance(written, Report)
    assert [section.title for section in written.sections] == OUTLINE
    assert [(source.page, source.quote) for source in written.sources] == [
        (1, "The rent is 900 a month."),
        (2, "The landlord repairs the roof."),
    ]
    assert all(find_quote(LEASE.page(source.page), source.quote) for source in written.sources)


def test_a_section_is_told_what_was_said_before() -> None:
    model = ScriptedChat(["The rent is 900 a month."])
    events_of(model)
    first, second = asked(model)
    assert "Said before" not in first
    assert "- Rent: The rent is 900 a month." in second
    assert second.endswith("Write the section “Repairs”.")


def test_sections_that_were_written_are_not_written_again(tmp_path: Path) -> None:
    work = {"report": "x"}
    with closing(Journal(tmp_path / "j", work)) as journal:
        first = events_of(ScriptedChat(["The rent is 900 a month."]), journal)[-1]
    again = ScriptedChat([])
    with closing(Journal(tmp_path / "j", work)) as journal:
        events = events_of(again, journal)
    assert events[0] == Planned("2 sections, 2 of them written already.")
    assert events[-1] == first
    assert again.requests == []


def test_in_markdown_and_as_pdf() -> None:
    written = events_of(ScriptedChat(["The rent is 900 a month. Nobody <b>knows</b> & cares."]))[-1]
    text = markdown(written, "A & B")
    assert text.startswith("# A & B\n\n## Rent\n\nThe rent is 900 a month. [1] Nobody <b>knows</b> & cares.")
    assert "1. lease.pdf, page 1: “The rent is 900 a month.”" in text
    page = open_bytes(report_pdf(written, "A & B"), "report.pdf").page(1)
    for words in ("A & B", "Nobody <b>knows</b> & cares.", "lease.pdf, page 1"):
        assert find_quote(page, words) is not None


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("Rent; Repairs ;", ["Rent", "Repairs"]),
        ("# Rent\n\n- Repairs\n2. Term\n", ["Rent", "Repairs", "Term"]),
        ("Only one", ["Only one"]),
    ],
)
def test_outlines(text: str, titles: list[str]) -> None:
    assert outline_of(text) == titles


def test_an_empty_outline_is_refused() -> None:
    with pytest.raises(UsageError, match="outline is empty"):
        outline_of(" ;\n ")
