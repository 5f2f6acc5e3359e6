"""`compare`: what changed between two versions of a document, and what it means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from mistralet.chat import ChatModel, ChatRequest, Message, Reply
from mistralet.documents.alignment import Change, Pair, align, changes
from mistralet.documents.document import Document
from mistralet.documents.events import FlowEvent, Planned, Progress
from mistralet.documents.paragraphs import paragraphs
from mistralet.engine.sampling import SamplingParams
from mistralet.errors import DocumentError

Importance = Literal["high", "medium", "low", "cosmetic"]
Topic = Literal["amount", "term", "obligation", "right", "liability", "definition", "wording", "other"]

_AT_ONCE = 4  # changes that are explained together: they share the model's steps
_LONGEST = 3000  # characters of a version that are shown to the model
_INSTRUCTIONS = (
    "You compare two versions of a contract. Say in one or two sentences what changes for the parties, and rate it: "
    "high for money, terms, liability or rights that end; medium for duties; low for details; cosmetic if the meaning "
    "stays the same."
)
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string", "minLength": 1, "maxLength": 400},
        "importance": {"enum": list(get_args(Importance))},
        "topic": {"enum": list(get_args(Topic))},
    },
    "required": ["explanation", "importance", "topic"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class RatedChange:
    """A change, and what a model says of it; nothing if none was asked."""

    change: Change
    explanation: str = ""
    importance: Importance | None = None
    topic: Topic | None = None


@dataclass(frozen=True)
class Comparison:
    """What came of comparing two versions."""

    old: str  # names of the documents
    new: str
    changes: tuple[RatedChange, ...]
    pairs: tuple[Pair, ...] = field(repr=False)  # all paragraphs, also those that are the same


async def compare(
    model: ChatModel | None, old: Document, new: Document
) -> AsyncGenerator[FlowEvent | Comparison, None]:
    """Find what changed, and have a model explain and rate each change; the `Comparison` comes last.

    What only looks different is rated without asking.

    Args:
        model: None: changes are found, and not explained.

    Raises:
        DocumentError: a version holds no text.
        EngineError: see `ChatModel.stream`.
    """
    sides = []
    for document in (old, new):
        sides.append(paragraphs(document))
        if not sides[-1]:
            raise DocumentError(f"{document.name} holds no text to compare; read scans with --ocr.")
    pairs = await asyncio.to_thread(align, *sides)
    found = changes(pairs)
    yield Planned(f"{len(sides[0])} and {len(sides[1])} paragraphs, {len(found)} changes.")
    rated = [RatedChange(each, importance="cosmetic" if each.kind == "cosmetic" else None) for each in found]
    asked = [place for place, each in enumerate(rated) if each.importance is None]
    if model is not None and asked:
        waiting = asyncio.Semaphore(_AT_ONCE)
        tasks = [asyncio.create_task(_explained(model, found[place], place, waiting)) for place in asked]
        try:
            for done, task in enumerate(asyncio.as_completed(tasks)):
                yield Progress("Explaining changes", done, len(tasks))
                place, told = await task
                rated[place] = told
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        yield Progress("Explaining changes", len(tasks), len(tasks))
    yield Comparison(old.name, new.name, tuple(rated), tuple(pairs))


async def _explained(
    model: ChatModel, change: Change, place: int, waiting: asyncio.Semaphore
) -> tuple[int, RatedChange]:
    async with waiting:
        request = ChatRequest([Message("system", _INSTRUCTIONS), Message("user", _told(change))], answer_schema=_SCHEMA)
        reply = Reply()
        async for event in model.stream(request, SamplingParams(temperature=0, max_tokens=200)):
            reply.add(event)
    try:
        told = json.loads(reply.text)
    except ValueError:  # cut short
        return place, RatedChange(change)
    return place, RatedChange(change, told["explanation"].strip(), told["importance"], told["topic"])


def _told(change: Change) -> str:
    old, new = change.old_text[:_LONGEST], change.new_text[:_LONGEST]
    match change.kind:
        case "added":
            return f"This was added:\n{new}"
        case "removed":
            return f"This was removed:\n{old}"
        case "moved":
            same = "" if old == new else f"\n\nIts new wording:\n{new}"
            return f"This was moved to another place:\n{old}{same}"
    return f"Old:\n{old}\n\nNew:\n{new}"
