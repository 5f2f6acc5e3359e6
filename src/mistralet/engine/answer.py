"""`Answer`: from drawn tokens to text, and when an answer ends."""

from __future__ import annotations

from mistralet.engine.request import FinishReason
from mistralet.engine.sampling import SamplingParams
from mistralet.engine.sampling import StopStrings
from mistralet.tokenizer import StreamDecoder, Tokenizer


class Answer:
    """What an answer says so far."""

    def __init__(self, tokenizer: Tokenizer, params: SamplingParams, room: int) -> None:
        """
        Args:
            room: the most tokens it may have.
        """
        self.stop_ids = frozenset(params.stop_token_ids) | (frozenset() if params.ignore_eos else tokenizer.stop_ids)
        self.room = room
        self.length = 0
        self.finish_reason: FinishReason | None = None
        self._decoder = StreamDecoder(tokenizer)
        self._stop_strings = StopStrings(params.stop)

    def is_part(self, token: int) -> bool:
        """Whether a token is part of the answer rather than its end."""
        return token not in self.stop_ids

    def push(self, token: int) -> str:
        """Add a token; the text that may be shown now. The last one sets `finish_reason`.

        A stop token and a stop string are no part of the answer's text.
        """
        if token in self.stop_ids:
            return self._end("stop")
        self.length += 1
        text = self._stop_strings.push(self._decoder.push(token))
        if self._stop_strings.found:
            self.finish_reason = "stop"
        elif self.length == self.room:
            text += self._end("length")
        return text

    def _end(self, reason: FinishReason) -> str:
        self.finish_reason = reason
        return self._stop_strings.push(self._decoder.finish()) + self._stop_strings.finish()
