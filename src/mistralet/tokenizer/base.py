"""`Tokenizer`: what the rest of the house knows of a vocabulary, whatever file it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Protocol

from mistralet.errors import PromptError, TokenizerError

# The regular expression engine under Tekken gives up between this and a million spaces on end.
_LONGEST_WHITESPACE = 500_000


class Tokenizer(Protocol):
    """Text to token ids and back. Ids outside the vocabulary raise `TokenizerError`."""

    @property
    def name(self) -> str:
        """What to call it before a user, such as "Tekken v11"."""

    @property
    def vocab_size(self) -> int:
        """Number of ids, control tokens included."""

    @property
    def bos_id(self) -> int | None:
        """The id a sequence begins with, if the vocabulary has one."""

    @property
    def adds_bos(self) -> bool:
        """Whether raw text (not a conversation) must begin with `bos_id`."""

    @property
    def stop_ids(self) -> frozenset[int]:
        """The ids that end an answer."""

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, without BOS. The name of a control token in `text` is text, never that token.

        Raises:
            PromptError: `text` cannot be encoded (see `text_problem`).
        """

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes one id stands for; empty for control tokens. They need not be whole characters."""

    def decode(self, ids: Iterable[int]) -> str:
        """The text of all ids. Bytes that are not UTF-8 become U+FFFD."""

    def control_id(self, name: str) -> int:
        """The id of a control token such as "[INST]". Raises `TokenizerError` if there is none."""


def encode_raw(tokenizer: Tokenizer, text: str, with_bos: bool = True) -> list[int]:
    """The ids of a raw text (not a conversation), which begins as sequences of this vocabulary do.

    Raises:
        PromptError: see `Tokenizer.encode`.
    """
    bos = [tokenizer.bos_id] if with_bos and tokenizer.adds_bos and tokenizer.bos_id is not None else []
    return bos + tokenizer.encode(text)


def text_problem(text: str) -> str | None:
    """Why no tokenizer takes `text`, to be read after a word for it ("the text ..."); None if it is fine."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"holds half a character (a lone surrogate) at position {error.start}; remove it"
    if len(text) > _LONGEST_WHITESPACE and any(len(run) > _LONGEST_WHITESPACE for run in re.findall(r"\s+", text)):
        return f"holds more than {_LONGEST_WHITESPACE} spaces in a row; shorten them"
    return None


def require_text(text: str) -> str:
    """`text` itself. Raises `PromptError` if no tokenizer takes it."""
    if problem := text_problem(text):
        raise PromptError(f"the text {problem}")
    return text


def require_id(token_id: int, vocab_size: int) -> int:
    """`token_id` itself. Raises `TokenizerError` if it lies outside the vocabulary."""
    if not 0 <= token_id < vocab_size:
        raise TokenizerError(f"the token id {token_id} is outside the vocabulary (0 to {vocab_size - 1})")
    return token_id
