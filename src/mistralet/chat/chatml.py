"""The ChatML template of the stand-in model (SmolLM2)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mistralet.chat.call_grammar import call_constraint
from mistralet.chat.call_ids import CallIds
from mistralet.chat.call_syntax import chatml_syntax
from mistralet.chat.chatml_calls import instruction, with_calls, written_result
from mistralet.chat.chatml_parser import ChatMLParser
from mistralet.chat.conversation import check_conversation
from mistralet.chat.images import no_vision
from mistralet.chat.messages import ImagePart, Message, TextPart
from mistralet.chat.request import ChatRequest
from mistralet.chat.tools import check_tools
from mistralet.engine.constraint import Constraint
from mistralet.model import Prompt
from mistralet.tokenizer import BpeTokenizer

# The system message a Jinja template writes of its own accord; its line breaks may be characters or escapes.
_DEFAULT_SYSTEM = re.compile(r"<\|im_start\|>system(?:\n|\\n)(.+?)<\|im_end\|>", re.DOTALL)


class ChatMLChat:
    """Turns of `<|im_start|>role`, a line break, the text and `<|im_end|>`, with a line break between turns.

    Where the file's own template opens a conversation without system message with one of its own, so do we. Tools are
    listed at the end of the first system turn.
    """

    def __init__(self, tokenizer: BpeTokenizer) -> None:
        self._tokenizer = tokenizer
        self._start = tokenizer.control_id("<|im_start|>")
        self._turn_end = [tokenizer.control_id("<|im_end|>"), *tokenizer.encode("\n")]
        default = _DEFAULT_SYSTEM.search(tokenizer.chat_template or "")
        self._default_system = default.group(1) if default else ""

    def encode(self, request: ChatRequest) -> Prompt:
        """See `ChatFormat.encode`."""
        check_conversation(request.messages)
        check_tools(request)
        turns = [(message.role, _text(message)) for message in _in_call_order(_without_pictures(request.messages))]
        if turns[0][0] != "system" and (self._default_system or request.tools):
            turns.insert(0, ("system", self._default_system))
        if request.tools:
            turns[0] = ("system", "\n\n".join(filter(None, [turns[0][1], instruction(request.tools)])))
        if not request.messages[-1].prefix:
            turns.append(("assistant", ""))
        ids = []
        for role, text in turns:
            ids += [self._start, *self._tokenizer.encode(f"{role}\n{text}"), *self._turn_end]
        return Prompt(ids[: -len(self._turn_end)])  # the last turn is the one to go on with

    def constraint(self, request: ChatRequest) -> Constraint | None:
        """See `ChatFormat.constraint`."""
        return call_constraint(request, chatml_syntax())

    def parser(self, call_ids: CallIds, stop: Sequence[str] = ()) -> ChatMLParser:
        """See `ChatFormat.parser`."""
        return ChatMLParser(self._tokenizer, call_ids, stop)


def _without_pictures(messages: Sequence[Message]) -> Sequence[Message]:
    for index, message in enumerate(messages):
        if any(isinstance(part, ImagePart) for part in message.parts):
            raise no_vision(index)
    return messages


def _in_call_order(messages: Sequence[Message]) -> list[Message]:
    """The messages, but the results of several calls in the order of these: ChatML writes no ids to tell them apart."""
    ordered = list(messages)
    for index, message in enumerate(messages):
        results = slice(index + 1, index + 1 + len(message.tool_calls))
        by_id = {result.tool_call_id: result for result in messages[results]}
        ordered[results] = [by_id[call.id] for call in message.tool_calls]
    return ordered


def _text(message: Message) -> str:
    text = "\n\n".join(part.text for part in message.parts if isinstance(part, TextPart) and part.text)
    return written_result(text) if message.role == "tool" else with_calls(text, message.tool_calls)
