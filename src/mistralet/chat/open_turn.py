"""The assistant's turn while it is read: `OpenTurn`, and `OpenCall` for a call in it."""

from __future__ import annotations

from collections.abc import Iterable

from mistralet.chat.call_ids import CallIds
from mistralet.chat.events import ArgumentsDelta, ChatEvent, ContentDelta, Finish, FormatProblem, ToolCallStart
from mistralet.chat.json_scanner import JsonScanner
from mistralet.chat.json_values import parse_arguments
from mistralet.engine.request import FinishReason, RequestStats
from mistralet.engine.sampling import StopStrings


class OpenTurn:
    """Collects the events of one turn."""

    def __init__(self, call_ids: CallIds, stop: Iterable[str] = ()) -> None:
        """
        Args:
            call_ids: of the conversation, so that no new call gets an id that another has.
            stop: the text (not the calls) ends before the first of these, and the turn with it.
        """
        self.is_stopped = False
        self.last_call: OpenCall | None = None
        self._call_ids = call_ids
        self._stop_strings = StopStrings(stop)
        self._events: list[ChatEvent] = []

    def add_text(self, text: str) -> None:
        """Take a piece of the text."""
        shown = self._stop_strings.push(text)
        if shown:
            self._events.append(ContentDelta(shown))
        self.is_stopped = self._stop_strings.matched is not None

    def begin_call(self, name: str, written_id: str = "") -> OpenCall:
        """Take the beginning of a call; it keeps the id that the model wrote, if it can be one."""
        self._show_held_back()
        index = 0 if self.last_call is None else self.last_call.index + 1
        self.last_call = OpenCall(index, self._events)
        self._events.append(ToolCallStart(index, self._call_ids.take(written_id), name))
        return self.last_call

    def report(self, problem: str) -> None:
        """Tell of something that follows no template, and concerns no call."""
        self._events.append(FormatProblem(problem))

    def finish(self, reason: FinishReason, stats: RequestStats | None, error: str | None = None) -> None:
        """End the turn."""
        self._show_held_back()
        has_called = reason == "stop" and not self.is_stopped and self.last_call is not None
        ends_whole = self.last_call is not None and self.last_call.is_complete
        self._events.append(Finish("tool_calls" if has_called and ends_whole else reason, stats, error))

    def take(self) -> list[ChatEvent]:
        """What has happened since this was last asked."""
        events = self._events[:]
        self._events.clear()  # calls hold the list
        return events

    def _show_held_back(self) -> None:
        if held := self._stop_strings.finish():
            self._events.append(ContentDelta(held))


class OpenCall:
    """Takes the arguments of one call, and sees where they end."""

    def __init__(self, index: int, events: list[ChatEvent]) -> None:
        self.index = index
        self._events = events
        self._arguments = ""
        self._scanner = JsonScanner()

    @property
    def is_complete(self) -> bool:
        """Whether the arguments have come to their end."""
        return self._scanner.is_done

    def push(self, text: str) -> str:
        """Take a piece of the arguments; what is left of it after they have ended."""
        if self.is_complete:
            return text
        length = self._scanner.push(text)
        piece = text[:length] if self._arguments else text[:length].lstrip()
        if piece:
            self._arguments += piece
            self._events.append(ArgumentsDelta(self.index, piece))
        return text[length:]

    def end(self) -> None:
        """See that the arguments are a JSON object, now that no more come. None at all are an empty one."""
        if not self._arguments:
            self.report("the call has no arguments; read as {}")
            self.push("{}")
        try:
            parse_arguments(self._arguments)
        except ValueError as error:
            self.report(f"what stands for the arguments {error}")

    def report(self, problem: str) -> None:
        """Tell of something in this call that does not follow the template."""
        self._events.append(FormatProblem(problem, self.index))
