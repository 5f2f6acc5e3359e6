"""`ChatFormat`: a conversation to a prompt, in the template the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from mistralet.chat.call_ids import CallIds
from mistralet.chat.chatml import ChatMLChat
from mistralet.chat.parser import AnswerParser
from mistralet.chat.request import ChatRequest
from mistralet.chat.tekken import TekkenChat
from mistralet.config import VisionConfig
from mistralet.engine.constraint import Constraint
from mistralet.errors import TokenizerError
from mistralet.model import Prompt
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer, Tokenizer


class ChatFormat(Protocol):
    """A chat template."""

    def encode(self, request: ChatRequest) -> Prompt:
        """The prompt after which the model writes the assistant's next message.

        Raises:
            PromptError: the conversation breaks a rule; the sentence names the message.
            ImageError: a picture cannot be read, or the model reads text only.
            ToolError: a tool's description is invalid; the sentence names the tool.
        """

    def constraint(self, request: ChatRequest) -> Constraint | None:
        """What the answer is held to, so that its calls are valid; None if it is free.

        Raises:
            ToolError: a tool's arguments cannot be held to its schema; the sentence names the tool.
            ConstraintError: the answer's own schema is unusable.
        """

    def parser(self, call_ids: CallIds, stop: Sequence[str] = ()) -> AnswerParser:
        """What reads an answer to a conversation whose calls have these ids; `stop` ends its text, not its calls."""


def chat_format(tokenizer: Tokenizer, vision: VisionConfig | None) -> ChatFormat:
    """The chat template that belongs to a tokenizer.

    Raises:
        TokenizerError: none does, or the vocabulary lacks a token of the template.
    """
    if isinstance(tokenizer, TekkenTokenizer):
        return TekkenChat(tokenizer, vision)
    if isinstance(tokenizer, BpeTokenizer):
        return ChatMLChat(tokenizer)
    raise TokenizerError(f"no chat template is known for the tokenizer '{tokenizer.name}'; use plain prompts")
