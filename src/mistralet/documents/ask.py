"""`ask`: a question about documents, answered with the pages it rests on."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from mistralet.chat import ChatModel, ChatRequest, ContentDelta, Message, Reply, TextPart
from mistralet.documents.citing import Citer, Statement
from mistralet.documents.document import Document
from mistralet.documents.events import FlowEvent, Planned, Progress, TextDelta
from mistralet.documents.meanings import Meanings
from mistralet.documents.passages import sentences
from mistralet.documents.quotes import Citation
from mistralet.documents.reading import Reading, choose_pages, page_parts
from mistralet.documents.search import Index
from mistralet.engine.sampling import SamplingParams
from mistralet.errors import PromptError

# First the documents, then the question: so the next question finds all of them read.
_INSTRUCTIONS = (
    "You answer questions about documents, from what they say and nothing else, in the language of the question. "
    "Answer in one to three sentences, and keep to the documents' own words, numbers and names. "
    "If they do not say, answer that they do not say."
)


@dataclass(frozen=True)
class Answer:
    """What came of a question."""

    question: str
    text: str
    statements: tuple[Statement, ...]  # the text's sentences
    nearest: tuple[Citation, ...]  # the passages that share most with the question, whatever was answered
    plan: str
    pages: tuple[tuple[str, int], ...]  # that were read: document and number
    prompt_tokens: int
    cached_tokens: int  # of the prompt, which needed no reading
    first_token_seconds: float
    seconds: float


async def ask(
    model: ChatModel,
    documents: Sequence[Document],
    question: str,
    max_tokens: int = 400,
    meanings: Meanings | None = None,
) -> AsyncGenerator[FlowEvent | Answer, None]:
    """Answer a question; the text comes as it is written, the `Answer` last.

    Args:
        meanings: finds pages by meaning, too, where not all fit the model's context.

    Raises:
        PromptError: the question is empty.
        DocumentError: the documents cannot be read by this model.
        EngineError: see `ChatModel.stream`.
    """
    question = question.strip()
    if not question:
        raise PromptError("The question is empty; ask something.")
    begun = time.perf_counter()
    index = Index(documents, meanings)
    reading = await choose_pages(model, documents, index, question, max_tokens)
    yield Planned(reading.plan)
    reply = Reply()
    first = 0.0
    params = SamplingParams(temperature=0, max_tokens=max_tokens)
    async for event in model.stream(asked(reading, question), params):
        reply.add(event)
        if isinstance(event, ContentDelta):
            first = first or time.perf_counter() - begun
            yield TextDelta(event.text)
    citer = Citer(model, reading.pages, index)
    statements: list[Statement] = []
    places = sentences(reply.text)
    for number, (start, end) in enumerate(places):
        yield Progress("Finding sources", number, len(places))
        statements.append(await citer.statement(reply.text[start:end], question))
    yield Progress("Finding sources", len(places), len(places))
    stats = reply.finish.stats
    yield Answer(
        question,
        reply.text.strip(),
        tuple(statements),
        tuple(citer.nearest(question)),
        reading.plan,
        tuple((document.name, page.number) for document, page in reading.pages),
        stats.prompt_tokens if stats else 0,
        stats.cached_tokens if stats else 0,
        first,
        time.perf_counter() - begun,
    )


def asked(reading: Reading, question: str) -> ChatRequest:
    """The request of a question about pages."""
    *parts, last = page_parts(reading.pages)
    end = f"Question: {question}"
    if isinstance(last, TextPart):
        last, end = TextPart(last.text + end), ""
    content = [*parts, last, *([TextPart(end)] if end else [])]
    return ChatRequest([Message("system", _INSTRUCTIONS), Message("user", tuple(content))])
