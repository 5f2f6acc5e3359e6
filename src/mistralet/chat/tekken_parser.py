"""Answers in the templates of Mistral Small 3: calls are told by control tokens, never by text (SPEC 3.2, G12)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from mistralet.chat.call_ids import CallIds
from mistralet.chat.call_object import CallObject
from mistralet.chat.events import ChatEvent
from mistralet.chat.open_turn import OpenTurn
from mistralet.engine.request import FinishReason, RequestStats
from mistralet.tokenizer import StreamDecoder, TekkenTokenizer

_BETWEEN_OBJECTS = "[], \t\r\n"


class TekkenParser:
    """See `AnswerParser`. Reads v7's list of objects and the named calls of v11 and v13, whichever comes."""

    def __init__(self, tokenizer: TekkenTokenizer, call_ids: CallIds, stop: Iterable[str] = ()) -> None:
        """
        Args:
            call_ids, stop: see `OpenTurn`.
        """
        self._turn = OpenTurn(call_ids, stop)
        self._tokenizer = tokenizer
        self._writes_lists = tokenizer.version == "v7"
        marks: dict[str, Callable[[], None]] = {"[TOOL_CALLS]": self._open_calls}
        if not self._writes_lists:
            marks |= {"[CALL_ID]": self._open_id, "[ARGS]": self._open_arguments}
        self._marks = {tokenizer.control_id(name): act for name, act in marks.items()}
        self._decoder = StreamDecoder(tokenizer)
        self._read = self._turn.add_text  # what takes the text that comes
        self._name = ""
        self._id = ""
        self._object: CallObject | None = None

    @property
    def is_stopped(self) -> bool:
        """See `AnswerParser.is_stopped`."""
        return self._turn.is_stopped

    def push(self, token_ids: Sequence[int]) -> list[ChatEvent]:
        """See `AnswerParser.push`."""
        for token in token_ids:
            if self.is_stopped:
                break
            if token in self._marks:
                self._end_section()
                self._marks[token]()
            elif not self._tokenizer.token_bytes(token):
                self._turn.report(f"the control token {token} has no meaning in an answer; left out")
            elif text := self._decoder.push(token):
                self._read(text)
        return self._turn.take()

    def finish(self, reason: FinishReason, stats: RequestStats | None, error: str | None = None) -> list[ChatEvent]:
        """See `AnswerParser.finish`."""
        self._end_section()
        if reason == "stop" and not self.is_stopped:
            self._close_calls()
        self._turn.finish(reason, stats, error)
        return self._turn.take()

    def _end_section(self) -> None:
        """Take what the decoder holds back of the text before a mark."""
        if text := self._decoder.finish():
            self._read(text)

    def _open_calls(self) -> None:
        self._close_calls()
        self._name, self._id = "", ""
        self._read = self._read_name

    def _open_id(self) -> None:
        if self._read != self._read_name:
            self._turn.report("[CALL_ID] stands where no call has begun; left out")
            return
        self._read = self._read_id

    def _open_arguments(self) -> None:
        if self._read not in (self._read_name, self._read_id):
            self._turn.report("[ARGS] stands where no call has begun; left out")
            return
        self._begin_call()

    def _begin_call(self) -> None:
        call = self._turn.begin_call(self._name.strip(), self._id.strip())
        if self._writes_lists:
            call.report("the call is a name and its arguments, not a list of objects")
        self._read = self._read_arguments

    def _read_name(self, text: str) -> None:
        self._name += text
        written = self._name.lstrip()
        if written[:1] in ("[", "{"):
            if not self._writes_lists:
                self._turn.report("calls are a list of objects, not named one by one")
            self._read = self._read_objects
            self._read_objects(written)
        elif "{" in written:
            self._name, _, _ = written.partition("{")
            self._begin_call_without_mark(written[len(self._name) :])

    def _read_id(self, text: str) -> None:
        self._id += text
        if "{" in self._id:
            written = self._id
            self._id, _, _ = written.partition("{")
            self._begin_call_without_mark(written[len(self._id) :])

    def _begin_call_without_mark(self, arguments: str) -> None:
        self._begin_call()
        if not self._writes_lists and self._turn.last_call is not None:
            self._turn.last_call.report("[ARGS] is missing; the arguments were taken to begin at the first '{'")
        self._read_arguments(arguments)

    def _read_arguments(self, text: str) -> None:
        assert self._turn.last_call is not None
        self._read_after(self._turn.last_call.push(text))

    def _read_objects(self, text: str) -> None:
        while text:
            if self._object is not None:
                text = self._object.push(text)
                if self._object.is_done:
                    self._object = None
            elif text[0] in _BETWEEN_OBJECTS:
                text = text[1:]
            elif text[0] == "{":
                self._object = CallObject(self._turn)
            else:
                self._read_after(text)
                return

    def _read_after(self, text: str) -> None:
        """Text that follows a call, where there should be none."""
        if text.strip():
            self._turn.report("text follows a call; read as text of the answer")
            self._read = self._turn.add_text
            self._turn.add_text(text)

    def _close_calls(self) -> None:
        """No more comes of the call that was begun, if one was."""
        if self._read in (self._read_name, self._read_id):
            if self._name.strip():
                self._begin_call()
            else:
                self._turn.report("[TOOL_CALLS] stands before no call; left out")
        if self._read == self._read_arguments and self._turn.last_call is not None:
            self._turn.last_call.end()
        elif self._object is not None:
            self._object.end()
            self._object = None
        self._read = self._turn.add_text
