"""Answers in ChatML: calls are objects between tags, which are text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mistralet.chat.call_ids import CallIds
from mistralet.chat.call_object import CallObject
from mistralet.chat.chatml_calls import CALL_BEGIN, CALL_END, CALL_SEPARATOR
from mistralet.chat.events import ChatEvent
from mistralet.chat.open_turn import OpenTurn
from mistralet.engine.request import FinishReason, RequestStats
from mistralet.tokenizer import BpeTokenizer, StreamDecoder

_BEGIN, _END = CALL_BEGIN.strip(), CALL_END.strip()
_NO_END = f"{_END} is missing after a call"


class ChatMLParser:
    """See `AnswerParser`."""

    def __init__(self, tokenizer: BpeTokenizer, call_ids: CallIds, stop: Iterable[str] = ()) -> None:
        """
        Args:
            call_ids, stop: see `OpenTurn`.
        """
        self._turn = OpenTurn(call_ids, stop)
        self._tokenizer = tokenizer
        self._decoder = StreamDecoder(tokenizer)
        self._held = ""  # text of which it cannot be said yet what it is
        self._read = self._read_text  # takes text, gives back what is another's to take
        self._object = CallObject(self._turn)

    @property
    def is_stopped(self) -> bool:
        """See `AnswerParser.is_stopped`."""
        return self._turn.is_stopped

    def push(self, token_ids: Sequence[int]) -> list[ChatEvent]:
        """See `AnswerParser.push`."""
        for token in token_ids:
            if self.is_stopped:
                break
            if not self._tokenizer.token_bytes(token):
                self._turn.report(f"the control token {token} has no meaning in an answer; left out")
            self._read_all(self._decoder.push(token))
        return self._turn.take()

    def finish(self, reason: FinishReason, stats: RequestStats | None, error: str | None = None) -> list[ChatEvent]:
        """See `AnswerParser.finish`."""
        self._read_all(self._decoder.finish())
        if self._read == self._read_object and reason == "stop":
            self._object.end()
        if self._read == self._read_end and reason == "stop":
            self._turn.report(_NO_END)
        if self._held.strip() or self._read == self._read_text:
            self._turn.add_text(self._held)
        self._turn.finish(reason, stats, error)
        return self._turn.take()

    def _read_all(self, text: str) -> None:
        while text:
            text, self._held = self._held + text, ""
            text = self._read(text)

    def _read_text(self, text: str) -> str:
        before, tag, after = text.partition(_BEGIN)
        if tag:
            self._turn.add_text(before.removesuffix(CALL_SEPARATOR))
            self._begin_object()
            return after
        shown = len(text) - _begun(text, CALL_SEPARATOR + _BEGIN, _BEGIN)
        self._turn.add_text(text[:shown])
        self._held = text[shown:]
        return ""

    def _begin_object(self) -> None:
        self._object = CallObject(self._turn)
        self._read = self._read_object

    def _read_object(self, text: str) -> str:
        rest = self._object.push(text)
        if self._object.is_done:
            self._read = self._read_end
        return rest

    def _read_end(self, text: str) -> str:
        """Take the tag that closes a call."""
        written = text.lstrip()
        if _could_begin(written, _END):
            self._held = text
            return ""
        self._read = self._read_between
        if not written.startswith(_END):
            self._turn.report(_NO_END)
        return written.removeprefix(_END)

    def _read_between(self, text: str) -> str:
        """Take what follows a call: another one, or nothing."""
        written = text.lstrip()
        if _could_begin(written, _BEGIN):
            self._held = text
            return ""
        if written.startswith(_BEGIN):
            self._begin_object()
            return written.removeprefix(_BEGIN)
        self._turn.report("text follows a call; read as text of the answer")
        self._read = self._read_text
        return written


def _could_begin(text: str, tag: str) -> bool:
    """Whether `text` is the beginning of `tag`, but not all of it."""
    return len(text) < len(tag) and tag.startswith(text)


def _begun(text: str, *tags: str) -> int:
    """Characters at the end of `text` that may be the beginning of one of `tags`."""
    longest = min(len(text), max(map(len, tags)) - 1)
    return next((count for count in range(longest, 0, -1) if any(tag.startswith(text[-count:]) for tag in tags)), 0)
