"""`LocalChat`: a chat model on an engine of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from mistralet.chat.events import ChatEvent, Finish
from mistralet.chat.format import ChatFormat
from mistralet.chat.request import ChatRequest
from mistralet.chat.turn import Turn
from mistralet.engine import AsyncEngine, Engine
from mistralet.engine.engine_thread import EngineThread
from mistralet.engine.sampling import SamplingParams
from mistralet.errors import EngineError


class LocalChat:
    """A `ChatModel` on an engine in this process or in another. Event loops are never blocked.

    An `Engine` is run in a thread, and must not be used otherwise while there are streams; streams share its steps.
    """

    def __init__(self, engine: Engine | AsyncEngine, chat_format: ChatFormat, name: str) -> None:
        """
        Args:
            name: what to call the model before a user.
        """
        self.name = name
        self._format = chat_format
        self._engine = EngineThread(engine) if isinstance(engine, Engine) else engine

    async def stream(self, request: ChatRequest, params: SamplingParams) -> AsyncIterator[ChatEvent]:
        """See `ChatModel.stream`."""
        # Pictures and long conversations take a while to encode.
        turn = await asyncio.to_thread(Turn, self._format, request, params)
        async with aclosing(self._engine.stream(turn.request)) as outputs:
            async for output in outputs:
                for event in turn.read(output):
                    if isinstance(event, Finish) and event.error is not None:
                        raise EngineError(event.error)
                    yield event
                if turn.is_over:
                    return
