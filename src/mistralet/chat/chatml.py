"""The ChatML template of the stand-in model (SmolLM2)."""

from __future__ import annotations

import re

from mistralet.chat.conversation import check_conversation
from mistralet.chat.images import no_vision
from mistralet.chat.messages import ImagePart, Message, TextPart
from mistralet.chat.request import ChatRequest
from mistralet.model import Prompt
from mistralet.tokenizer import BpeTokenizer

# The system message a Jinja template writes of its own accord; its line breaks may be characters or escapes.
_DEFAULT_SYSTEM = re.compile(r"<\|im_start\|>system(?:\n|\\n)(.+?)<\|im_end\|>", re.DOTALL)


class ChatMLChat:
    """Turns of `<|im_start|>role`, a line break, the text and `<|im_end|>`, with a line break between turns.

    Where the file's own template opens a conversation without system message with one of its own, so do we.
    """

    def __init__(self, tokenizer: BpeTokenizer) -> None:
        self._tokenizer = tokenizer
        self._start = tokenizer.control_id("<|im_start|>")
        self._end = tokenizer.control_id("<|im_end|>")
        default = _DEFAULT_SYSTEM.search(tokenizer.chat_template or "")
        self._default_system = default.group(1) if default else None

    def encode(self, request: ChatRequest) -> Prompt:
        """See `ChatFormat.encode`."""
        messages = request.messages
        check_conversation(messages)
        ids = []
        if self._default_system and messages[0].role != "system":
            ids += self._turn("system", self._default_system)
        for index, message in enumerate(messages):
            ids += self._turn(message.role, _text(message, index))
        ids += [self._start, *self._tokenizer.encode("assistant\n")]
        return Prompt(ids)

    def _turn(self, role: str, text: str) -> list[int]:
        return [self._start, *self._tokenizer.encode(f"{role}\n{text}"), self._end, *self._tokenizer.encode("\n")]


def _text(message: Message, index: int) -> str:
    if any(isinstance(part, ImagePart) for part in message.parts):
        raise no_vision(index)
    return "\n\n".join(part.text for part in message.parts if isinstance(part, TextPart))
