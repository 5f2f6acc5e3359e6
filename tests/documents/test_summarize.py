"""Summaries: of what fits at once, else of parts and then of these, with the page of each statement."""

from __future__ import annotations

import asyncio
from typing import Any

from mistralet.chat import TextPart
from mistralet.documents import Document, Planned, TextDelta
from mistralet.documents.summarize import Summary, summarize, with_pages
from support.documents import typed_document
from support.scripted_chat import ScriptedChat

LEASE = typed_document(
    "The lease begins on 1 May. The rent is 900.", "The landlord repairs the roof.", name="lease.pdf"
)


def events_of(model: ScriptedChat, document: Document, **options: Any) -> list[Any]:
    async def collect() -> list[Any]:
        return [event async for event in summarize(model, document, **options)]

    return asyncio.run(collect())


def texts(model: ScriptedChat) -> list[str]:
    messages = [request.messages[-1] for request in model.requests]
    return ["".join(part.text for part in message.parts if isinstance(part, TextPart)) for message in messages]


def test_what_fits_is_read_at_once() -> None:
    model = ScriptedChat(["The rent is 900. The landlord repairs the roof."])
    events = events_of(model, LEASE, words=60)
    assert events[0] == Planned("2 pages: read at once.")
    assert "".join(event.text for event in events if isinstance(event, TextDelta)).startswith("The rent is 900.")
    assert texts(model)[0].endswith("Summarise the above in about 60 words.")
    summary = events[-1]
    assert isinstance(summary, Summary)
    assert with_pages(summary) == "The rent is 900. (p. 1) The landlord repairs the roof. (p. 2)"


def test_what_does_not_fit_is_read_in_parts_and_these_are_put_together() -> None:
    pages = [f"Chapter {number}. " + f"word{number} is here. " * 60 for number in range(6)]
    model = ScriptedChat(["short words"], context=800)
    events = events_of(model, typed_document(*pages), words=20)
    assert events[0] == Planned("6 pages: read in 3 parts, then put together.")
    *parts, last = texts(model)
    assert len(parts) == 3
    assert "(summary of pages 1 to 2)]\nshort words" in last
    assert last.endswith("in about 20 words.")


def test_a_model_that_does_not_shorten_comes_to_an_end() -> None:
    pages = [f"Chapter {number}. " + f"word{number} is here. " * 60 for number in range(4)]
    model = ScriptedChat(["word " * 300], context=800)
    events = events_of(model, typed_document(*pages), words=20)
    assert isinstance(events[-1], Summary)
    assert len(model.requests) <= 10


def test_statements_that_nothing_says_have_no_page() -> None:
    *_, summary = events_of(ScriptedChat(["Bananas are yellow."]), LEASE)
    assert with_pages(summary) == "Bananas are yellow."
