"""The rules a conversation must keep, whatever template it goes through.

They are those mistral-common enforces where it serves a model (SPEC 3.2), so that the stand-in model refuses what the
real one would, and some that it leaves to chance; docs/chat-format.md lists those.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import get_args

from mistralet.chat.call_rules import calls_problem, result_problems
from mistralet.chat.messages import ImagePart, Message, Role, TextPart
from mistralet.errors import PromptError
from mistralet.tokenizer.base import text_problem

_ROLES: tuple[str, ...] = get_args(Role)

_SYSTEM_PLACE = "put system messages first or next to a message of the user"
_RESULT_PLACE = "put results right after the assistant's message with their calls"

# The roles that may not follow a role, and the remedy.
_MISPLACED: dict[str, dict[str, str]] = {
    "system": {"tool": _RESULT_PLACE},
    "user": {"tool": _RESULT_PLACE},
    "assistant": {"system": _SYSTEM_PLACE},
    "tool": {"system": _SYSTEM_PLACE},
}


def check_conversation(messages: Sequence[Message]) -> None:
    """Refuse a conversation no model of the family can answer.

    Raises:
        PromptError: it is empty, out of order or ends with the assistant, a message holds what it cannot, or results do
            not match the calls before them.
    """
    if not messages:
        raise PromptError("the conversation is empty; add a message of the user")
    for problem in _problems(messages):
        raise PromptError(problem)


def _problems(messages: Sequence[Message]) -> Iterator[str]:
    """Whole sentences; only the first is of use, since each rule relies on those before it."""
    for index, message in enumerate(messages):
        if problem := _message_problem(message) or _order_problem(messages[index - 1] if index else None, message):
            yield f"messages[{index}]{problem}"
    yield from _prefix_problems(messages)
    yield from _empty_answers(messages)
    yield from result_problems(messages)


# What the following return is read after the name of a message. It begins with the field, or with the role.


def _message_problem(message: Message) -> str | None:
    if message.role not in _ROLES:
        return f" ({message.role}) has a role that is not known; use {', '.join(_ROLES)}"
    for part in message.parts:
        if isinstance(part, ImagePart) and message.role != "user":
            return f" ({message.role}) holds a picture; only messages of the user can"
        if isinstance(part, TextPart) and (problem := text_problem(part.text)):
            return f" ({message.role}) {problem}"
    return _foreign_field(message) or calls_problem(message.tool_calls)


def _foreign_field(message: Message) -> str | None:
    role = message.role
    if role == "tool" and not message.tool_call_id:
        return ".tool_call_id is missing; give the id of the call whose result this is"
    if role != "tool" and message.tool_call_id is not None:
        return f".tool_call_id is set, but the role is {role}; only results of tools have one"
    if role != "assistant" and message.tool_calls:
        return f".tool_calls are set, but the role is {role}; only messages of the assistant have any"
    if role != "assistant" and message.prefix:
        return f".prefix is set, but the role is {role}; only a message of the assistant can be gone on with"
    return None


def _order_problem(previous: Message | None, message: Message) -> str | None:
    if previous is None:
        if message.role == "tool":
            return f" (tool) is the first; {_RESULT_PLACE}"
        if message.tool_calls:
            return ".tool_calls cannot begin a conversation; put the message of the user before it"
        return None
    if remedy := _MISPLACED[previous.role].get(message.role):
        before = "a result" if previous.role == "tool" else f"the {previous.role}"
        return f" ({message.role}) follows {before}; {remedy}"
    return None


def _prefix_problems(messages: Sequence[Message]) -> Iterator[str]:
    for index, message in enumerate(messages[:-1]):
        if message.prefix:
            yield f"messages[{index}].prefix is set, but only the last message can be gone on with; leave it out"
    index, last = len(messages) - 1, messages[-1]
    where = f"messages[{index}] (assistant)"
    if last.role != "assistant":
        return
    if not last.prefix:
        yield f"{where} is the last; end with a message of the user, or set its prefix to have it gone on with"
    if index == 0:
        yield f"{where} is the only one; put a message of the user before it"
    if last.tool_calls:
        yield f"messages[{index}].prefix is set beside tool_calls, which end a message; leave one of them out"


def _empty_answers(messages: Sequence[Message]) -> Iterator[str]:
    # Messages of the assistant in a row are one in the template, so one of them at least must say something.
    for role, run in groupby(enumerate(messages), key=lambda pair: pair[1].role):
        answers = list(run)
        if role == "assistant" and not any(_says_something(message) for _, message in answers):
            yield f"messages[{answers[-1][0]}] (assistant) is empty; leave it out"


def _says_something(message: Message) -> bool:
    return bool(message.tool_calls) or any(isinstance(part, TextPart) and part.text for part in message.parts)
