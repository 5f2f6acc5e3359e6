"""`Answer`: from drawn tokens to text, and when an answer ends."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as ListOf

from mistralet.engine.constraint import Matcher
from mistralet.engine.repetition import RepetitionWatchdog
from mistralet.engine.request import FinishReason
from mistralet.engine.sampling import Sampled, SamplingParams, StopStrings
from mistralet.errors import ConstraintError
from mistralet.tokenizer import StreamDecoder, Tokenizer


class Answer:
    """What an answer says so far, and what its next token must heed."""

    def __init__(self, tokenizer: Tokenizer, params: SamplingParams, room: int, watchdog: RepetitionWatchdog) -> None:
        """
        Args:
            room: the most tokens it may have.
        """
        self.room = room
        self.watchdog = watchdog
        self.matcher: Matcher | None = None  # of its grammar, once that is compiled
        self.bias: Mapping[int, float] = {}  # added to the scores of the next token
        self.token_ids: list[int] = []
        self.finish_reason: FinishReason | None = None
        self.error: str | None = None
        self._stop_ids = params.stop_ids(tokenizer.stop_ids)
        self._decoder = StreamDecoder(tokenizer)
        self._stop_strings = StopStrings(params.stop) if params.stop else None

    @property
    def left(self) -> int:
        """Tokens it may still have."""
        return self.room - len(self.token_ids)

    @property
    def stop_string(self) -> str | None:
        """The stop string that ended it."""
        return None if self._stop_strings is None else self._stop_strings.matched

    def is_last(self, token: int) -> bool:
        """Whether a token ends the answer whatever its text says: a stop token, or the last there is room for."""
        return token in self._stop_ids or self.left == 1

    def take(self, drawn: ListOf[Sampled]) -> tuple[list[int], str]:
        """Add tokens, until one ends the answer; those that were added, and the text that may be shown now."""
        before = len(self.token_ids)
        text = ""
        for sampled in drawn:
            text += self.push(sampled.token) if sampled.problem is None else self.fail(sampled.problem)
            # Where a bias begins, what was guessed right without it is worth nothing.
            if self.finish_reason is not None or self.bias:
                break
        return self.token_ids[before:], text

    def push(self, token: int) -> str:
        """Add a token; the text that may be shown now. The last one sets `finish_reason`.

        A stop token and a stop string are no part of the answer's text.
        """
        if self.matcher is not None:
            try:
                self.matcher.accept(token)
            except ConstraintError as error:
                return self.fail(str(error))
        if token in self._stop_ids:
            return self.end("stop")
        self.token_ids.append(token)
        text = self._decoder.push(token)
        if self._stop_strings is not None:
            text = self._stop_strings.push(text)
        verdict = self.watchdog.push(token)
        if verdict == "steer":
            self.bias = self.watchdog.bias()
        elif self.bias:
            self.bias = {}
        if self.stop_string is not None:
            self.finish_reason = "stop"
        elif self.matcher is not None and self.matcher.is_finished:
            text += self.end("stop")
        elif verdict == "stop":
            text += self.end("repetition")
        elif self.left == 0:
            text += self.end("length")
        return text

    def end(self, reason: FinishReason) -> str:
        """End the answer; the text that was held back."""
        self.finish_reason = reason
        rest = self._decoder.finish()
        return rest if self._stop_strings is None else self._stop_strings.push(rest) + self._stop_strings.finish()

    def fail(self, error: str) -> str:
        """End the answer because of an error of its own, a sentence; the text that was held back."""
        self.error = error
        return self.end("error")
