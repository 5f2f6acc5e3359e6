"""The answers of Mistral Small 3: text, and calls after the control token [TOOL_CALLS]."""

from __future__ import annotations

from collections.abc import Sequence

from mistralet.chat.call_events import CallEvents
from mistralet.chat.call_tokens import CallTokens
from mistralet.chat.events import ChatEvent
from mistralet.chat.parse_v7 import ListReader
from mistralet.chat.parse_v11 import NamedReader
from mistralet.chat.request import ChatRequest
from mistralet.engine.request import FinishReason, RequestStats
from mistralet.tokenizer import StreamDecoder, TekkenTokenizer


class TekkenParser:
    """The `AnswerParser` of v7, v11 and v13.

    Models write each other's form now and then, so every version reads both.
    """

    def __init__(self, request: ChatRequest, tokenizer: TekkenTokenizer, tokens: CallTokens) -> None:
        self._events = CallEvents(request)
        self._tokenizer = tokenizer
        self._tokens = tokens
        self._decoder = StreamDecoder(tokenizer)
        self._in_calls = False  # [TOOL_CALLS] has come
        self._reader: ListReader | NamedReader | None = None  # once it is known what follows the last [TOOL_CALLS]

    def push(self, token_ids: Sequence[int]) -> list[ChatEvent]:
        """See `AnswerParser.push`."""
        for token_id in token_ids:
            if self._tokenizer.token_bytes(token_id):
                self._take_text(self._decoder.push(token_id))
            else:
                self._take_text(self._rest())
                self._take_control(token_id)
        return self._events.take()

    def finish(
        self, reason: FinishReason, stats: RequestStats | None = None, error: str | None = None
    ) -> list[ChatEvent]:
        """See `AnswerParser.finish`."""
        self._take_text(self._rest())
        self._end_reader(was_cut=reason != "stop")
        return self._events.finish(reason, stats, error)

    def _rest(self) -> str:
        """A character that is still in parts, which no more bytes will complete."""
        rest, self._decoder = self._decoder.finish(), StreamDecoder(self._tokenizer)
        return rest

    def _take_text(self, text: str) -> None:
        if not self._in_calls:
            self._events.text(text)
            return
        if self._reader is None:
            text = text.lstrip()
            if not text:
                return
            self._reader = self._new_reader(writes_list=text[0] in "[{")
        self._reader.push(text)

    def _take_control(self, token_id: int) -> None:
        if token_id == self._tokens.calls:
            if self._in_calls:
                self._end_reader(was_cut=False)
            self._in_calls, self._reader = True, None
            self._events.announce()
        elif not self._in_calls:
            self._events.control_token(token_id)
        else:
            self._reader = self._reader or self._new_reader(writes_list=False)
            self._reader.control(token_id)

    def _new_reader(self, writes_list: bool) -> ListReader | NamedReader:
        if writes_list != (self._tokens.arguments is None):
            self._events.problem(
                "Calls are written as in the template v7, a list, and read as that."
                if writes_list
                else "Calls are written as in the template v11, by name, and read as that."
            )
        return ListReader(self._events) if writes_list else NamedReader(self._events, self._tokens)

    def _end_reader(self, was_cut: bool) -> None:
        if self._reader is not None:
            self._reader.finish(was_cut)
        elif self._in_calls and not was_cut:
            self._events.problem("[TOOL_CALLS] stands before nothing.")
