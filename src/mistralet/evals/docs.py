"""`evaluate`: how well a model answers questions about documents and fills in forms from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mistralet.chat import ChatModel, ChatRequest, ImagePart, Message, Part, Reply, TextPart
from mistralet.documents import FlowEvent, Planned, Progress
from mistralet.documents.extract import Extraction, extract
from mistralet.documents.journal import Journal
from mistralet.documents.opening import open_document
from mistralet.engine.sampling import SamplingParams
from mistralet.errors import MistraletError
from mistralet.evals.corpus import FileTruth, Truth
from mistralet.evals.scores import anls, f1, field_f1, final_answer, relaxed_accuracy
from mistralet.evals.tasks import Task

_AT_ONCE = 8  # questions: they share the model's steps
_SIDE = 1540  # pixels of a page's longer side: what the family's vision reads at most
_FORM_TOKENS = 400

INVOICE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "number": {"type": "string", "description": "number of the invoice"},
        "date": {"type": "string", "format": "date", "description": "day of the invoice"},
        "seller": {"type": "string", "description": "who sends the invoice"},
        "buyer": {"type": "string", "description": "who is to pay"},
        "currency": {"type": "string", "description": "three letters"},
        "net": {"type": "number", "description": "sum without tax"},
        "vat": {"type": "number", "description": "tax in the sum"},
        "total": {"type": "number", "description": "sum to pay"},
        "iban": {"type": "string", "description": "account to pay to"},
    },
    "required": ["number", "date", "seller", "buyer", "currency", "net", "vat", "total", "iban"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Score:
    """A figure over all answers of a suite."""

    suite: str
    metric: str
    value: float
    count: int


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model."""

    model: str
    scores: tuple[Score, ...]
    skipped: tuple[str, ...]  # suites that this model cannot do, and why


async def evaluate(
    model: ChatModel, tasks: Sequence[Task], forms: Sequence[tuple[Path, FileTruth]], journal: Journal
) -> AsyncGenerator[FlowEvent | Evaluation, None]:
    """Ask all questions and fill in all forms that the journal does not know; the `Evaluation` comes last.

    A model without vision is given the text of pages, and not asked of charts and scans.
    """
    facts = await model.facts()
    skipped = []
    if not facts.reads_pictures:
        unseen = sorted({task.suite for task in tasks if task.as_picture} | ({"scans"} if _scans(forms) else set()))
        skipped = [f"{suite}: the model reads no pictures" for suite in unseen]
        tasks = [task for task in tasks if not task.as_picture]
        forms = [form for form in forms if form[1].kind != "scan"]
    work = [(task.name, _answered(model, task, facts.reads_pictures)) for task in tasks]
    work += [(truth.file, _filled(model, path, truth)) for path, truth in forms]
    known = [journal.get(name, "") is not None for name, _ in work]
    yield Planned(f"{len(tasks)} questions and {len(forms)} forms, {sum(known)} of them done already.")
    waiting = asyncio.Semaphore(_AT_ONCE)

    async def done(name: str, answer: Any) -> None:
        async with waiting:
            journal.add({"file": name, "digest": "", **await answer})

    started = [asyncio.create_task(done(*each)) for each, is_known in zip(work, known, strict=True) if not is_known]
    for (_, answer), is_known in zip(work, known, strict=True):
        if is_known:
            answer.close()
    try:
        for number, each in enumerate(asyncio.as_completed(started), sum(known)):
            yield Progress("Asking", number, len(work))
            await each
    finally:
        for each in started:
            each.cancel()
        await asyncio.gather(*started, return_exceptions=True)
    yield Progress("Asking", len(work), len(work))
    yield Evaluation(model.name, tuple(_scores([journal.get(name, "") or {} for name, _ in work])), tuple(skipped))


def corpus_forms(folder: Path, truth: Truth) -> list[tuple[Path, FileTruth]]:
    """The invoices of the corpus, printed and scanned."""
    return [(folder / file.file, file) for file in truth.files if file.kind in ("invoice", "scan") and file.facts]


def _scans(forms: Sequence[tuple[Path, FileTruth]]) -> bool:
    return any(truth.kind == "scan" for _, truth in forms)


async def _answered(model: ChatModel, task: Task, reads_pictures: bool) -> dict[str, Any]:
    document, page = await asyncio.to_thread(task.source)
    shown: Part = TextPart(f"{page.text}\n\n")
    if reads_pictures:
        shown = ImagePart(await asyncio.to_thread(document.source.picture, page.number, _SIDE))
    content = (shown, TextPart(f"{task.question}\n{task.prompt}"))
    reply = Reply()
    params = SamplingParams(temperature=0, max_tokens=task.max_tokens)
    async for event in model.stream(ChatRequest([Message("user", content)]), params):
        reply.add(event)
    said = final_answer(reply.text) if task.suite == "chartqa" else reply.text.strip()
    if task.suite in ("charts", "chartqa"):
        scores = {"relaxed accuracy": relaxed_accuracy(said, task.answers)}
    else:
        scores = {"ANLS": anls(said, task.answers), "ANLS without threshold": anls(said, task.answers, 0.0)}
    return {"suite": task.suite, "answer": reply.text, "scores": scores}


async def _filled(model: ChatModel, path: Path, truth: FileTruth) -> dict[str, Any]:
    suite = {"invoice": "invoices", "scan": "scans"}[truth.kind]
    true = {fact.name: fact.value for fact in truth.facts}
    value: dict[str, Any] = {}
    error = None
    try:
        document = await asyncio.to_thread(open_document, path)
        async for event in extract(model, document, INVOICE_SCHEMA, _FORM_TOKENS):
            if isinstance(event, Extraction):
                value = event.value
    except MistraletError as problem:
        error = str(problem)
    return {"suite": suite, "value": value, "error": error, "fields": field_f1(value, true)}


def _scores(records: Sequence[dict[str, Any]]) -> list[Score]:
    found: list[Score] = []
    for suite in dict.fromkeys(record["suite"] for record in records):
        own = [record for record in records if record["suite"] == suite]
        if "fields" in own[0]:
            right, given, there = (sum(record["fields"][place] for record in own) for place in range(3))
            found.append(Score(suite, "field F1", f1(right, given, there), len(own)))
            continue
        for metric in own[0]["scores"]:
            mean = sum(record["scores"][metric] for record in own) / len(own)
            found.append(Score(suite, metric, mean, len(own)))
    return found
