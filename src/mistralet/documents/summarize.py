"""`summarize`: what a document says in few words, each statement with its page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from mistralet.chat import ChatModel, ChatRequest, ContentDelta, Message, Part, Reply, TextPart
from mistralet.documents.citing import Citer, Statement
from mistralet.documents.document import Document, Page
from mistralet.documents.events import FlowEvent, Planned, Progress, TextDelta
from mistralet.documents.passages import sentences
from mistralet.documents.reading import count_of, page_parts, parts_that_fit, readable
from mistralet.documents.search import Index
from mistralet.engine.sampling import SamplingParams

LENGTHS = {"short": 60, "medium": 150, "long": 400}  # words
_TOKENS_PER_WORD = 2  # of most of the family's languages, and room for a long word
_AT_ONCE = 4  # parts that are summarised together: they share the model's steps
_INSTRUCTIONS = (
    "You summarise documents in their own language, from what they say and nothing else. Keep names, numbers and "
    "dates, put the most important first, and write whole sentences without headings or lists."
)


@dataclass(frozen=True)
class Summary:
    """What came of summarising."""

    document: str
    text: str
    statements: tuple[Statement, ...]  # the text's sentences
    plan: str
    seconds: float


async def summarize(
    model: ChatModel, document: Document, words: int = LENGTHS["medium"]
) -> AsyncGenerator[FlowEvent | Summary, None]:
    """Summarise a document; the text comes as it is written, the `Summary` last.

    One beyond the model's context is summarised in parts, and these summaries together.

    Raises:
        DocumentError: the document cannot be read by this model.
        EngineError: see `ChatModel.stream`.
    """
    begun = time.perf_counter()
    max_tokens = words * _TOKENS_PER_WORD + 50
    parts = await parts_that_fit(model, document, _asked(words), max_tokens)
    count = count_of(readable([document]))
    plan = f"{count}: read at once." if len(parts) == 1 else f"{count}: read in {len(parts)} parts, then put together."
    yield Planned(plan)
    content = page_parts([(document, page) for page in parts[0]])
    while len(parts) > 1:
        waiting = asyncio.Semaphore(_AT_ONCE)
        tasks = [asyncio.create_task(_part(model, document, part, words, max_tokens, waiting)) for part in parts]
        try:
            for done, task in enumerate(asyncio.as_completed(tasks)):
                yield Progress("Summarising parts", done, len(tasks))
                await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        yield Progress("Summarising parts", len(tasks), len(tasks))
        told = [
            Page(number, task.result(), label=_range(part))
            for number, (part, task) in enumerate(zip(parts, tasks, strict=True), 1)
        ]
        shortened = Document(document.name, document.kind, document.digest, told, document.source)
        content = page_parts([(shortened, page) for page in told])
        again = await parts_that_fit(model, shortened, _asked(words), max_tokens)
        if len(again) >= len(parts):  # summaries are no shorter than what they are of: the model does not obey
            content = page_parts([(shortened, page) for page in again[0]])
            break
        parts = again
    reply = Reply()
    async for event in model.stream(_request(content, words), SamplingParams(temperature=0, max_tokens=max_tokens)):
        reply.add(event)
        if isinstance(event, ContentDelta):
            yield TextDelta(event.text)
    index = await asyncio.to_thread(Index, [document])
    citer = Citer(model, readable([document]), index)
    places = sentences(reply.text)
    statements = []
    for number, (start, end) in enumerate(places):
        yield Progress("Finding sources", number, len(places))
        statements.append(await citer.statement(reply.text[start:end]))
    yield Progress("Finding sources", len(places), len(places))
    yield Summary(document.name, reply.text.strip(), tuple(statements), plan, time.perf_counter() - begun)


def with_pages(summary: Summary) -> str:
    """The text with the page behind each statement that has one."""
    pieces = []
    for statement in summary.statements:
        pages = ", ".join(str(citation.page) for citation in statement.citations)
        pieces.append(f"{statement.text} (p. {pages})" if pages else statement.text)
    return " ".join(pieces)


async def _part(
    model: ChatModel, document: Document, part: Sequence[Page], words: int, max_tokens: int, waiting: asyncio.Semaphore
) -> str:
    async with waiting:
        reply = Reply()
        request = _request(page_parts([(document, page) for page in part]), words)
        async for event in model.stream(request, SamplingParams(temperature=0, max_tokens=max_tokens)):
            reply.add(event)
        return reply.text.strip()


def _request(content: Sequence[Part], words: int) -> ChatRequest:
    *parts, last = content
    if isinstance(last, TextPart):
        asked = [TextPart(last.text + _asked(words))]
    else:
        parts, asked = [*parts, last], [TextPart(_asked(words))]
    return ChatRequest([Message("system", _INSTRUCTIONS), Message("user", (*parts, *asked))])


def _asked(words: int) -> str:
    return f"Summarise the above in about {words} words."


def _range(part: Sequence[Page]) -> str:
    return f"summary of pages {part[0].number} to {part[-1].number}"
