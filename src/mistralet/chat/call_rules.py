"""The rules for calls of tools, and for the results that must follow them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mistralet.chat.json_values import dump, parse_arguments
from mistralet.chat.messages import Message, ToolCall
from mistralet.chat.names import name_problem
from mistralet.tokenizer.base import text_problem


def calls_problem(calls: Sequence[ToolCall]) -> str | None:
    """What is wrong with the calls of one message, to be read after the name of the message; None if nothing is."""
    seen = set()
    for index, call in enumerate(calls):
        field = f".tool_calls[{index}]"
        if not call.id:
            return f"{field}.id is empty; give each call an id"
        if call.id in seen:
            return f"{field}.id {call.id!r} is that of another call of the message; give each its own"
        seen.add(call.id)
        if problem := name_problem(call.name):
            return f"{field}.name {problem}"
        try:
            arguments = parse_arguments(call.arguments)
        except ValueError as error:
            return f"{field}.arguments {error}"
        if problem := text_problem(dump(arguments)):
            return f"{field}.arguments {problem}"
    return None


def result_problems(messages: Sequence[Message]) -> Iterator[str]:
    """Where results do not match calls: each call must have one, before the next message that is none."""
    waiting: dict[str, str] = {}  # id of a call without result -> its place
    answered: set[str] = set()
    for index, message in enumerate(messages):
        if message.role == "tool":
            call_id = message.tool_call_id or ""
            if call_id in answered:
                yield f"messages[{index}].tool_call_id {call_id!r} has a result already; give each call one"
            elif call_id not in waiting:
                yield f"messages[{index}].tool_call_id {call_id!r} is that of no call in the message before; correct it"
            waiting.pop(call_id, None)
            answered.add(call_id)
        else:
            yield from map(_no_result, waiting.values())
            waiting = {
                call.id: f"messages[{index}].tool_calls[{place}]" for place, call in enumerate(message.tool_calls)
            }
            answered = set()
    yield from map(_no_result, waiting.values())


def _no_result(place: str) -> str:
    return f"{place} has no result; add a message of the tool for it, before any other"
