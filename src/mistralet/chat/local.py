"""`LocalChat` and `WorkerChat`: a model on this machine, in this process or in one of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

from mistralet.chat.events import ChatEvent, Finish
from mistralet.chat.format import ChatFormat
from mistralet.chat.request import ChatRequest
from mistralet.chat.turn import Turn
from mistralet.engine import AsyncEngine, Engine, SamplingParams
from mistralet.errors import EngineError


class LocalChat:
    """A `ChatModel` over an engine in this process; streams at the same time share its steps.

    The engine runs in a thread of its own, and must not be used elsewhere meanwhile.
    """

    def __init__(self, engine: Engine, chat: ChatFormat, name: str) -> None:
        self.name = name
        self._engine = engine
        self._chat = chat
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engine")

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatModel.stream`."""
        loop = asyncio.get_running_loop()
        turn = await loop.run_in_executor(self._thread, Turn, self._chat, request, params)
        outputs = await loop.run_in_executor(self._thread, self._engine.stream, turn.request)
        try:
            while not turn.is_finished:
                output = await loop.run_in_executor(self._thread, next, outputs)
                for event in turn.read(output):
                    yield _checked(event)
        finally:
            # Not waited for: a step that runs ends first, in that thread.
            self._thread.submit(outputs.close)

    def close(self) -> None:
        """End the thread, once its step is over."""
        self._thread.shutdown()


class WorkerChat:
    """A `ChatModel` over an engine in a process of its own."""

    def __init__(self, engine: AsyncEngine, chat: ChatFormat, name: str) -> None:
        self.name = name
        self._engine = engine
        self._chat = chat

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatModel.stream`."""
        turn = await asyncio.to_thread(Turn, self._chat, request, params)
        async with aclosing(self._engine.stream(turn.request)) as outputs:
            async for output in outputs:
                for event in turn.read(output):
                    yield _checked(event)
                if turn.is_finished:
                    return


def _checked(event: ChatEvent) -> ChatEvent:
    if isinstance(event, Finish) and event.error is not None:
        raise EngineError(event.error)
    return event
