"""`EngineThread`: an `Engine` of this process, with an async stream for everyone who asks it something."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from functools import partial

from mistralet.engine.engine import Engine
from mistralet.engine.request import Request, StepOutput
from mistralet.errors import EngineError, MistraletError


class EngineThread:
    """Runs an engine's steps in a thread, so that event loops stay free; streams share its steps.

    The thread lives while there is work. Nobody else may use the engine meanwhile. Streams may belong to different event
    loops.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._lock = threading.Lock()  # of the following
        self._orders: deque[Callable[[], None]] = deque()  # for the thread
        self._is_running = False
        self._streams: dict[str, _Stream] = {}  # of the thread

    async def stream(self, request: Request) -> AsyncGenerator[StepOutput, None]:
        """Run a request; what each step adds to its answers, until all have ended. Leaving early cancels it.

        Raises:
            PromptError, UsageError: see `Engine.check`.
            EngineError: a step failed.
        """
        stream = _Stream(request)
        self._order(partial(self._add, stream))
        unfinished = request.params.n
        try:
            while unfinished:
                item = await stream.inbox.get()
                if isinstance(item, MistraletError):
                    raise item
                unfinished -= item.finish_reason is not None
                yield item
        finally:
            self._order(partial(self._leave, stream))

    def _order(self, order: Callable[[], None]) -> None:
        with self._lock:
            self._orders.append(order)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="engine").start()

    # The rest runs in the thread.

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._orders and not self._streams:
                    self._is_running = False
                    return
                orders, self._orders = self._orders, deque()
            for order in orders:
                order()
            if self._streams:
                self._step()

    def _add(self, stream: _Stream) -> None:
        try:
            self.engine.add(stream.request)
        except MistraletError as error:
            stream.deliver(error)
        except Exception as error:
            self.engine.cancel(stream.request.id)
            stream.deliver(EngineError(f"The engine cannot take this request in: {error!r}."))
        else:
            self._streams[stream.request.id] = stream

    def _leave(self, stream: _Stream) -> None:
        if self._streams.get(stream.request.id) is stream:
            del self._streams[stream.request.id]
            self.engine.cancel(stream.request.id)

    def _step(self) -> None:
        try:
            outputs = self.engine.step()
        except Exception as error:
            for stream in list(self._streams.values()):
                self._leave(stream)
                stream.deliver(EngineError(f"The engine failed while it wrote this answer: {error!r}; ask again."))
            return
        for output in outputs:
            if output.request_id in self._streams:
                self._streams[output.request_id].deliver(output)


class _Stream:
    """What is on its way to someone who asked."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.inbox: asyncio.Queue[StepOutput | MistraletError] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()

    def deliver(self, item: StepOutput | MistraletError) -> None:
        """From the thread to the event loop."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.inbox.put_nowait, item)
