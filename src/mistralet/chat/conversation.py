"""The rules a conversation must keep, whatever template it goes through.

They are those mistral-common enforces (SPEC 3.2), so that the stand-in model refuses what the real one would.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from mistralet.chat.messages import ImagePart, Message, Role, TextPart
from mistralet.errors import PromptError
from mistralet.tokenizer.base import text_problem

_ROLES: tuple[str, ...] = get_args(Role)


def check_conversation(messages: Sequence[Message]) -> None:
    """Refuse a conversation no model of the family can answer.

    Raises:
        PromptError: it is empty, out of order or ends with the assistant, or a message holds what it cannot.
    """
    if not messages:
        raise PromptError("the conversation is empty; add a message of the user")
    for index, message in enumerate(messages):
        if problem := _message_problem(message) or _order_problem(messages[index - 1] if index else None, message):
            raise PromptError(f"messages[{index}] ({message.role}) {problem}")
    if messages[-1].role == "assistant":
        raise PromptError(f"messages[{len(messages) - 1}] (assistant) is the last; end with a message of the user")


def _message_problem(message: Message) -> str | None:
    if message.role not in _ROLES:
        return f"has a role that is not known; use {', '.join(_ROLES)}"
    for part in message.parts:
        if isinstance(part, ImagePart) and message.role != "user":
            return "holds a picture; only messages of the user can"
        if isinstance(part, TextPart) and (problem := text_problem(part.text)):
            return problem
    if message.role == "assistant" and not any(isinstance(part, TextPart) and part.text for part in message.parts):
        return "is empty; leave it out"
    return None


def _order_problem(previous: Message | None, message: Message) -> str | None:
    if previous is not None and previous.role == "assistant" and message.role == "system":
        return "follows the assistant; put system messages first or next to a message of the user"
    return None
