"""`ChatFormat`: a conversation to a prompt, in the template the model was trained on."""

from __future__ import annotations

from typing import Protocol

from mistralet.chat.answer_parser import AnswerParser
from mistralet.chat.chatml import ChatMLChat
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
        """What the answer must fit so that its calls are those of tools, with arguments that fit; None for anything.

        Args:
            request: one that `encode` takes.

        Raises:
            ToolError: no call can be held to a tool's schema; the sentence names the tool.
            ConstraintError: the answer cannot be held to its own schema.
        """

    def parser(self, request: ChatRequest) -> AnswerParser:
        """What reads one answer to a request with tools."""


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
