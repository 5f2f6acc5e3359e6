"""`StreamDecoder`: tokens to text one at a time, without ever showing half a character."""

from __future__ import annotations

import codecs

from mistralet.tokenizer.base import Tokenizer


class StreamDecoder:
    """Decodes one answer as it is generated.

    The pieces joined, `finish()` included, are `tokenizer.decode` of all ids.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._is_between = True  # no character is in parts

    def push(self, token_id: int) -> str:
        """The text that `token_id` completes; empty while a character is still in parts."""
        piece = self._tokenizer.token_bytes(token_id)
        if self._is_between and piece.isascii():  # most of them: a fifth of the time
            return piece.decode("ascii")
        text = self._utf8.decode(piece)
        self._is_between = not self._utf8.getstate()[0]
        return text

    def finish(self) -> str:
        """What is left at the end: U+FFFD if the last character never became whole."""
        return self._utf8.decode(b"", final=True)
