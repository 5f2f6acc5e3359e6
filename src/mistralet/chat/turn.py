"""`Turn`: one chat request on an engine, and the events that its answers give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mistralet.chat.answer_parser import AnswerParser
from mistralet.chat.events import ChatEvent, ContentDelta, Finish, ToolCallStart
from mistralet.chat.format import ChatFormat
from mistralet.chat.request import ChatRequest
from mistralet.engine.constraint import Constraint
from mistralet.engine.request import Request, StepOutput
from mistralet.engine.sampling import SamplingParams, StopStrings
from mistralet.errors import ConstraintError


class Turn:
    """The request for the engine, and the way back from what the engine's steps give, for each of its `n` answers.

    Where tools are offered, stop strings are kept from the engine, since they hold for the text and not for calls. An
    answer that one ends is finished here before it is there: leave the engine's stream when `is_finished`, which
    cancels what still runs.
    """

    def __init__(
        self,
        chat: ChatFormat,
        request: ChatRequest,
        params: SamplingParams,
        constraint: Constraint | None = None,
        **options: Any,
    ) -> None:
        """
        Args:
            constraint: what the text must fit that is no schema; not where the request has tools, or a schema.
            options: of the engine's `Request`.

        Raises:
            PromptError, ImageError, ToolError, ConstraintError: the request is invalid; see `ChatFormat`.
        """
        prompt = chat.encode(request)
        own = chat.constraint(request)
        if constraint is not None and own is not None:
            raise ConstraintError("A regex, grammar or choice says how no tool is called; leave it out, or the tools.")
        self._answers: list[_Text | _TextAndCalls]
        if request.tools:
            self._answers = [_TextAndCalls(chat.parser(request), params.stop) for _ in range(params.n)]
            params = replace(params, stop=())
        else:
            self._answers = [_Text() for _ in range(params.n)]
        self.request = Request(prompt, params, own or constraint, **options)

    @property
    def is_finished(self) -> bool:
        """Whether every answer has had its `Finish`. The engine may still be at work on them."""
        return all(answer.is_finished for answer in self._answers)

    def read(self, output: StepOutput) -> list[ChatEvent]:
        """What a step adds to the answer `output.index`; `Finish` last, after which there is nothing more.

        An answer that failed ends with `Finish("error")`, whose `error` says why. If it has no tokens, most likely its
        grammar was refused.
        """
        answer = self._answers[output.index]
        if answer.is_finished:
            return []
        events = answer.read(output)
        answer.is_finished = any(isinstance(event, Finish) for event in events)
        return events


class _Text:
    """An answer of a request without tools: its text is the engine's."""

    is_finished = False

    def read(self, output: StepOutput) -> list[ChatEvent]:
        events: list[ChatEvent] = [ContentDelta(output.text)] if output.text else []
        if output.finish_reason is not None:
            events.append(Finish(output.finish_reason, output.stats, output.error, output.stop_string))
        return events


class _TextAndCalls:
    """An answer of a request with tools."""

    is_finished = False

    def __init__(self, parser: AnswerParser, stop: Sequence[str]) -> None:
        self._parser = parser
        self._stop_strings = StopStrings(stop)

    def read(self, output: StepOutput) -> list[ChatEvent]:
        events = self._parser.push(output.token_ids)
        if output.finish_reason is not None:
            events += self._parser.finish(output.finish_reason, output.stats, output.error)
        shown: list[ChatEvent] = []
        for event in events:
            if isinstance(event, ContentDelta):
                self._show(self._stop_strings.push(event.text), shown)
                met = self._stop_strings.matched
                if met is not None:
                    return [*shown, Finish("stop", output.stats, stop_string=met)]
            else:
                if isinstance(event, ToolCallStart | Finish):
                    self._show(self._stop_strings.finish(), shown)
                shown.append(event)
        return shown

    @staticmethod
    def _show(text: str, shown: list[ChatEvent]) -> None:
        if text:
            shown.append(ContentDelta(text))
