"""`Turn`: a chat request as an engine's request, and what the engine answers as a turn of the conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mistralet.chat.call_ids import CallIds
from mistralet.chat.events import ChatEvent
from mistralet.chat.format import ChatFormat
from mistralet.chat.request import ChatRequest
from mistralet.engine import Request, SamplingParams, StepOutput


class Turn:
    """The way of one chat request through an engine, there and back."""

    def __init__(self, chat: ChatFormat, request: ChatRequest, params: SamplingParams, **options: Any) -> None:
        """
        Args:
            options: of the engine's `Request`.

        Raises:
            PromptError, ImageError, ToolError, ConstraintError: see `ChatFormat`.
        """
        stop: Sequence[str] = ()
        if request.tools:
            # A stop string ends the text; within a call it would leave half a call.
            stop, params = params.stop, replace(params, stop=())
        constraint = chat.constraint(request)
        self.request = Request(chat.encode(request), params, constraint, **options)
        call_ids = CallIds(request.messages)
        self._parsers = {index: chat.parser(call_ids, stop) for index in range(params.n)}

    @property
    def is_finished(self) -> bool:
        """Whether all answers have ended. The engine may still be at work on them; its request is to be cancelled."""
        return not self._parsers

    def read(self, output: StepOutput) -> list[ChatEvent]:
        """What a step says in the answer `output.index`; nothing once that has ended."""
        parser = self._parsers.get(output.index)
        if parser is None:
            return []
        events = parser.push(output.token_ids)
        reason = "stop" if parser.is_stopped else output.finish_reason
        if reason is not None:
            events += parser.finish(reason, output.stats, output.error)
            del self._parsers[output.index]
        return events
