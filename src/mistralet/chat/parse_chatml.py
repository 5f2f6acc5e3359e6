"""Answers in ChatML, whose calls stand between tags in the text."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from mistralet.chat.call_events import CallEvents
from mistralet.chat.chatml_calls import CALL_BEGIN, CALL_END, CALL_SEPARATOR
from mistralet.chat.events import ChatEvent
from mistralet.chat.object_reader import ObjectReader
from mistralet.chat.request import ChatRequest
from mistralet.engine.request import FinishReason, RequestStats
from mistralet.engine.sampling import StopStrings
from mistralet.tokenizer import BpeTokenizer, StreamDecoder

_BEGIN, _END = CALL_BEGIN.strip(), CALL_END.strip()


class _At(Enum):
    TEXT = auto()
    CALL = auto()
    END_TAG = auto()


class ChatMLParser:
    """The `AnswerParser` of ChatML."""

    def __init__(self, request: ChatRequest, tokenizer: BpeTokenizer) -> None:
        self._events = CallEvents(request)
        self._tokenizer = tokenizer
        self._decoder = StreamDecoder(tokenizer)
        # An answer that must fit a schema may hold the tag in one of its texts.
        self._calls_may_follow_text = request.answer_schema is None
        self._must_call = request.tool_choice not in ("auto", "none")
        self._is_plain = False  # no call can follow any more
        self._at = _At.TEXT
        self._text = _until_call()
        self._call = ObjectReader(self._events)
        self._tag = ""  # the tag before the call, and whitespace after it
        self._end_tag = ""  # what has come of it

    def push(self, token_ids: Sequence[int]) -> list[ChatEvent]:
        """See `AnswerParser.push`."""
        for token_id in token_ids:
            if self._tokenizer.token_bytes(token_id):
                self._take(self._decoder.push(token_id))
            else:
                self._events.control_token(token_id)
        return self._events.take()

    def finish(
        self, reason: FinishReason, stats: RequestStats | None = None, error: str | None = None
    ) -> list[ChatEvent]:
        """See `AnswerParser.finish`."""
        self._take(self._decoder.finish())
        was_cut = reason != "stop"
        if self._at is _At.TEXT:
            begun = self._text.finish()  # of a tag, it seems
            if not (was_cut and (self._must_call or self._events.has_calls)):
                self._show(begun)
        elif not was_cut:
            self._end_early()
        return self._events.finish(reason, stats, error)

    def _take(self, text: str) -> None:
        for character in text:
            if self._at is _At.TEXT:
                self._take_in_text(character)
            elif self._at is _At.CALL:
                self._take_in_call(character)
            else:
                self._take_in_end_tag(character)

    def _take_in_text(self, character: str) -> None:
        if self._is_plain:
            self._show(character)
            return
        self._show(self._text.push(character))
        if self._text.matched is not None:
            self._at, self._tag, self._call = _At.CALL, self._text.matched, ObjectReader(self._events)
            self._text = _until_call()

    def _take_in_call(self, character: str) -> None:
        if character.isspace() and not self._call.has_begun:
            self._tag += character
        elif self._call.push(character):
            if self._call.is_done:
                self._at, self._end_tag = _At.END_TAG, ""
        else:
            self._end_early()
            self._take_in_text(character)

    def _take_in_end_tag(self, character: str) -> None:
        if not self._end_tag and character.isspace():
            return
        self._end_tag += character
        if self._end_tag == _END:
            self._at = _At.TEXT
        elif not _END.startswith(self._end_tag):
            self._end_early()

    def _end_early(self) -> None:
        """What began as a call, or as its end, goes on as text."""
        at, self._at = self._at, _At.TEXT
        if at is _At.END_TAG:
            self._events.call_problem(f"{_END} is missing after the call.")
            for character in self._end_tag:
                self._take_in_text(character)
        elif self._call.has_begun:
            self._call.stop(was_cut=False)
        else:
            self._events.stray_text(self._tag)

    def _show(self, text: str) -> None:
        if self._events.has_calls:
            self._events.stray_text(text)
        else:
            self._events.text(text)
            self._is_plain = self._is_plain or bool(text and not self._calls_may_follow_text)


def _until_call() -> StopStrings:
    """Passes on the text before the tag that begins a call; the line break before the tag is part of it."""
    return StopStrings([_BEGIN, CALL_SEPARATOR + _BEGIN])
