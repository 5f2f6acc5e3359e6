"""`Answer`: from drawn tokens to text, and when an answer ends."""

from __future__ import annotations

from mistralet.engine.request import FinishReason
from mistralet.engine.sampling import SamplingParams, StopStrings
from mistralet.tokenizer import StreamDecoder, Tokenizer


class Answer:
    """What an answer says so far."""

    def __init__(self, tokenizer: Tokenizer, params: SamplingParams, room: int) -> None:
        """
        Args:
            room: the most tokens it may have.
        """
        self.room = room
        self.token_ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self._stop_ids = params.stop_ids(tokenizer.stop_ids)
        self._decoder = StreamDecoder(tokenizer)
        self._stop_strings = StopStrings(params.stop)

    @property
    def left(self) -> int:
        """Tokens it may still have."""
        return self.room - len(self.token_ids)

    def push(self, token: int) -> str:
        """Add a token; the text that may be shown now. The last one sets `finish_reason`.

        A stop token and a stop string are no part of the answer's text.
        """
        if token in self._stop_ids:
            return self.end("stop")
        self.token_ids.append(token)
        text = self._stop_strings.push(self._decoder.push(token))
        if self._stop_strings.matched is not None:
            self.finish_reason = "stop"
        elif len(self.token_ids) == self.room:
            text += self.end("length")
        return text

    def end(self, reason: FinishReason) -> str:
        """End the answer; the text that was held back."""
        self.finish_reason = reason
        return self._stop_strings.push(self._decoder.finish()) + self._stop_strings.finish()
