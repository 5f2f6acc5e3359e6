"""`CallEvents`: the events of one answer, in the making."""

from __future__ import annotations

from mistralet.chat.call_ids import CallIds
from mistralet.chat.events import (
    ArgumentsDelta,
    ChatEvent,
    ChatFinishReason,
    ContentDelta,
    Finish,
    FormatProblem,
    ToolCallStart,
)
from mistralet.chat.json_values import parse_arguments
from mistralet.chat.names import shown
from mistralet.chat.request import ChatRequest
from mistralet.engine.request import FinishReason, RequestStats


class CallEvents:
    """Numbers the calls of an answer, gives them ids, and joins pieces of the same kind."""

    def __init__(self, request: ChatRequest) -> None:
        self._ids = CallIds(request.messages)
        self._tools = {tool.name for tool in request.tools}
        self._events: list[ChatEvent] = []
        self._pieces: list[str] = []  # of text or of arguments, the latest
        self._pieces_of: int | None = None  # the call whose arguments they are; None: text
        self._index = -1  # of the latest call
        self._arguments: list[str] = []  # of the latest call, all
        self._is_complete = False  # the latest call
        self._is_announced = False  # another
        self._has_stray_text = False
        self._told_tokens: set[int] = set()  # control tokens

    @property
    def has_calls(self) -> bool:
        """Whether a call has begun."""
        return self._index >= 0

    def take(self) -> list[ChatEvent]:
        """What came since the last time."""
        self._join()
        events, self._events = self._events, []
        return events

    def text(self, text: str) -> None:
        """A piece of the content."""
        self._add(text, None)

    def stray_text(self, text: str) -> None:
        """A piece of the content where only calls belong; whitespace between a call and it is left out."""
        if not self._has_stray_text:
            text = text.lstrip() if self.has_calls else text
            if not text:
                return
            self._has_stray_text = True
            self.problem("Text stands where only calls belong; it is shown as text.")
        self.text(text)

    def announce(self) -> None:
        """What comes next is a call; its name is not yet known."""
        self._is_announced = True

    def start(self, name: str, written_id: str | None = None) -> None:
        """A call begins.

        Args:
            written_id: the id that the model wrote before the arguments.
        """
        call_id = self._ids.take(written_id or "")
        self._join()
        self._index += 1
        self._arguments = []
        self._is_announced = self._is_complete = False
        self._events.append(ToolCallStart(self._index, call_id, name))
        if written_id is not None and call_id != written_id:
            self.call_problem(f"The id {shown(written_id)} is not nine letters or digits, or is taken; it has another.")
        if name not in self._tools:
            self.call_problem(f"{shown(name)} is none of the tools.")

    def arguments(self, text: str) -> None:
        """A piece of the arguments of the latest call."""
        self._arguments.append(text)
        self._add(text, self._index)

    def end(self, missing: str = "") -> None:
        """The latest call is over.

        Args:
            missing: why it is over before it is whole; a sentence.
        """
        if missing:
            self.call_problem(missing)
            return
        written = "".join(self._arguments)
        if not written.strip():
            self.arguments("{}")
            self.call_problem("There are no arguments; they are read as {}.")
        else:
            try:
                parse_arguments(written)
            except ValueError as error:
                self.call_problem(f"What was written for the arguments {error}.")
        self._is_complete = True

    def problem(self, problem: str) -> None:
        """Something is wrong that is part of no call; a sentence."""
        self._join()
        self._events.append(FormatProblem(problem))

    def call_problem(self, problem: str) -> None:
        """Something is wrong with the latest call; a sentence."""
        self._join()
        self._events.append(FormatProblem(problem, self._index))

    def control_token(self, token_id: int) -> None:
        """A control token that means nothing where it is; told once for each."""
        if token_id not in self._told_tokens:
            self._told_tokens.add(token_id)
            self.problem(f"The control token {token_id} means nothing where it is; it is left out.")

    def finish(self, reason: FinishReason, stats: RequestStats | None, error: str | None) -> list[ChatEvent]:
        """The last events of all."""
        final: ChatFinishReason = reason
        if self._is_complete and (reason == "stop" or (reason == "length" and not self._is_announced)):
            final = "tool_calls"
        return [*self.take(), Finish(final, stats, error)]

    def _add(self, text: str, call: int | None) -> None:
        if not text:
            return
        if self._pieces_of != call:
            self._join()
            self._pieces_of = call
        self._pieces.append(text)

    def _join(self) -> None:
        text = "".join(self._pieces)
        if text:
            call = self._pieces_of
            self._events.append(ContentDelta(text) if call is None else ArgumentsDelta(call, text))
        self._pieces = []
