"""A tokenizer for random models: each id is one character."""

from __future__ import annotations

from collections.abc import Iterable

_FIRST = ord(" ")


class LetterTokenizer:
    """Ids below 20 are control tokens; the others are characters one after another, from the space on."""

    name = "letters"
    bos_id = 1
    adds_bos = True

    def __init__(self, vocab_size: int = 128, stop_ids: Iterable[int] = ()) -> None:
        self.vocab_size = vocab_size
        self.stop_ids = frozenset(stop_ids)

    def encode(self, text: str) -> list[int]:
        return [ord(character) - _FIRST + 20 for character in text]

    def token_bytes(self, token_id: int) -> bytes:
        return b"" if token_id < 20 else chr(token_id - 20 + _FIRST).encode()

    def decode(self, ids: Iterable[int]) -> str:
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def control_id(self, name: str) -> int:
        raise KeyError(name)


class WordTokenizer(LetterTokenizer):
    """Ids from 100 on are words, of three equal letters each, from p on."""

    def token_bytes(self, token_id: int) -> bytes:
        return super().token_bytes(token_id) if token_id < 100 else (chr(ord("p") + token_id - 100) * 3 + " ").encode()

    def encode(self, text: str) -> list[int]:
        return [100 + ord(word[0]) - ord("p") for word in text.split()]
