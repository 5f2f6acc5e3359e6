"""Answers as a model writes them, and what came of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from mistralet.chat import (
    ArgumentsDelta,
    ChatEvent,
    ChatFormat,
    ChatRequest,
    ContentDelta,
    Finish,
    FormatProblem,
    ToolCallStart,
)
from mistralet.chat.events import ChatFinishReason
from mistralet.engine.request import FinishReason
from mistralet.tokenizer import Tokenizer

TEMPLATES = ["v7", "v11-image", "v13", "chatml"]
_CONTROL = re.compile(r"(\[TOOL_CALLS\]|\[ARGS\]|\[CALL_ID\]|\[INST\]|<\|im_start\|>)")


def written(tokenizer: Tokenizer, text: str) -> list[int]:
    """The tokens of an answer, in which the names of control tokens are these."""
    ids = []
    for part in _CONTROL.split(text):
        ids += [tokenizer.control_id(part)] if _CONTROL.fullmatch(part) else tokenizer.encode(part)
    return ids


@dataclass
class Said:
    """What the events of an answer say, taken together."""

    content: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list)  # name, arguments
    ids: list[str] = field(default_factory=list)
    problems: list[tuple[str, int | None]] = field(default_factory=list)
    finish: ChatFinishReason | None = None


def said(events: Iterable[ChatEvent]) -> Said:
    whole = Said()
    for event in events:
        assert whole.finish is None
        match event:
            case ContentDelta(text):
                whole.content += text
            case ToolCallStart(index, call_id, name):
                assert index == len(whole.calls)
                whole.calls.append((name, ""))
                whole.ids.append(call_id)
            case ArgumentsDelta(index, text):
                assert index == len(whole.calls) - 1
                whole.calls[index] = (whole.calls[index][0], whole.calls[index][1] + text)
            case FormatProblem(problem, index):
                assert re.fullmatch(r"\S.*\.", problem, re.DOTALL)
                whole.problems.append((problem, index))
            case Finish(reason):
                whole.finish = reason
    return whole


def parsed(chat: ChatFormat, request: ChatRequest, ids: list[int], reason: FinishReason = "stop") -> Said:
    """An answer that comes as a whole."""
    parser = chat.parser(request)
    return said(parser.push(ids) + parser.finish(reason))


def joined(events: Iterable[ChatEvent]) -> list[ChatEvent]:
    """The events with pieces that follow each other made one, and without ids, which are drawn."""
    whole: list[ChatEvent] = []
    for event in events:
        match whole[-1] if whole else None, event:
            case ContentDelta(before), ContentDelta(text):
                whole[-1] = ContentDelta(before + text)
            case ArgumentsDelta(index, before), ArgumentsDelta(other, text) if index == other:
                whole[-1] = ArgumentsDelta(index, before + text)
            case _, ToolCallStart(index, _, name):
                whole.append(ToolCallStart(index, "", name))
            case _:
                whole.append(event)
    return whole
