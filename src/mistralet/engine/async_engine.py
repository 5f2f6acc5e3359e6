"""`AsyncEngine`: an `Engine` in a process of its own, and an async stream for everyone who asks it something."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, cast

from mistralet.engine.events import Event, Listener
from mistralet.engine.messages import Cancel, EngineInfo, FromWorker, Happened, Loaded, Loading, NotLoaded, Refused
from mistralet.engine.packed_file import Progress
from mistralet.engine.request import Completion, Request, RequestStats, StepOutput
from mistralet.engine.worker import NewEngine
from mistralet.engine.worker_process import WorkerProcess
from mistralet.errors import EngineError, MistraletError, UsageError

# A worker that dies is started again, but not more often than so many times within so many seconds.
_RESTARTS = 3
_PERIOD = 600.0

AsyncEngineState = Literal["loading", "ready", "failed", "closed"]


class AsyncEngine:
    """Runs many requests at once on one model, in another process.

    If that process dies, the requests it had begun end with an `EngineError`; it is started again, and those that
    waited are run then. All methods belong to the event loop in which the engine was started.
    """

    state: AsyncEngineState
    info: EngineInfo  # of the model that was loaded last

    def __init__(self, new_engine: NewEngine, progress: Progress | None, listener: Listener | None) -> None:
        self.state = "loading"
        self.restarts = 0
        self._new_engine = new_engine
        self._progress = progress
        self._listener = listener
        self._streams: dict[str, _Stream] = {}  # that have not ended, in the worker or on the way to it
        self._deaths: deque[float] = deque(maxlen=_RESTARTS + 1)
        self._failure: MistraletError | None = None  # why nothing can run any more
        self._settled = asyncio.Event()  # the first loading is over
        self._worker = self._start_worker()

    @classmethod
    @asynccontextmanager
    async def start(
        cls, new_engine: NewEngine, progress: Progress | None = None, listener: Listener | None = None
    ) -> AsyncIterator[AsyncEngine]:
        """An engine that is loaded as the block begins, and closed as it ends.

        Args:
            new_engine: makes the engine; sent to its process by pickle, such as a `LoadSpec`.
            progress: called in the event loop while the model is loaded for the first time.
            listener: called in the event loop with all that happens.

        Raises:
            MistraletError: what kept the model from being loaded.
        """
        engine = cls(new_engine, progress, listener)
        try:
            await engine._settled.wait()
            if engine._failure is not None:
                raise engine._failure
            yield engine
        finally:
            await engine.close()

    async def close(self) -> None:
        """End the process; requests that run end with an `EngineError`."""
        if self.state != "closed":
            self._give_up("closed", EngineError("The engine was closed."))
        await self._worker.close()

    @property
    def unfinished(self) -> int:
        """Requests that run or wait."""
        return len(self._streams)

    async def stream(self, request: Request) -> AsyncGenerator[StepOutput, None]:
        """Run a request; what each step adds to its answers, until all have ended. Leaving early cancels it.

        Raises:
            PromptError, UsageError, EngineError: see `submit`.
        """
        async with aclosing(await self.submit(request)) as outputs:
            async for output in outputs:
                yield output

    async def submit(self, request: Request) -> AsyncGenerator[StepOutput, None]:
        """Wait until the engine has taken a request in; its stream, to be left by `aclose`.

        Raises:
            PromptError, UsageError: see `Engine.check`.
            EngineError: the engine is closed, or its process has died too often; later also: it died or failed while it
                wrote these answers.
        """
        outputs = self._run(request)
        await anext(outputs)
        return cast(AsyncGenerator[StepOutput, None], outputs)

    async def generate(self, request: Request) -> list[Completion]:
        """Run a request; its `n` answers.

        Raises:
            PromptError, UsageError, EngineError: see `submit`.
        """
        parts: list[list[StepOutput]] = [[] for _ in range(request.params.n)]
        async for output in self.stream(request):
            parts[output.index].append(output)
        return [Completion.of(outputs) for outputs in parts]

    async def cancel(self, request_id: str) -> bool:
        """End a request, and wait until it has ended; its stream ends with "cancelled". False if it was not running."""
        stream = self._streams.get(request_id)
        if stream is None:
            return False
        self._leave(stream)
        await stream.ended.wait()
        return True

    async def _run(self, request: Request) -> AsyncGenerator[StepOutput | None, None]:
        """None when the request is taken in, then its outputs: so a stream begins to run before it is given out.

        One that does not run would not notice that it is left.
        """
        stream = self._open(request)
        unfinished = request.params.n
        try:
            while unfinished:
                item = await stream.inbox.get()
                if isinstance(item, MistraletError):
                    raise item
                unfinished -= item is not None and item.finish_reason is not None
                yield item
        finally:
            self._leave(stream)

    def _open(self, request: Request) -> _Stream:
        if self._failure is not None:
            raise copy.copy(self._failure)
        if request.id in self._streams:
            raise UsageError(f"A request called '{request.id}' runs already; give each an id of its own.")
        stream = self._streams[request.id] = _Stream(request)
        if self.state == "ready":
            self._worker.send(request)
        return stream

    def _leave(self, stream: _Stream) -> None:
        """Cancel a request if it has not ended. Its id stays taken until the worker has heard of it."""
        if stream.ended.is_set():
            return
        if self.state == "ready":
            stream.cancelled = True
            self._worker.send(Cancel(stream.request.id))
        else:
            self._cancel_here(stream)

    def _cancel_here(self, stream: _Stream) -> None:
        for index in list(stream.unfinished):
            self._deliver(_cancelled(stream.request.id, index, RequestStats(len(stream.request.prompt.ids))))

    def _start_worker(self) -> WorkerProcess:
        return WorkerProcess(self._new_engine, self._receive, self._restart)

    def _receive(self, message: FromWorker) -> None:
        match message:
            case Loading(done, total):
                if self._progress is not None and not self._settled.is_set():
                    self._progress(done, total)
            case Loaded(info):
                self._begin(info)
            case NotLoaded(error) if self._failure is None:
                self._give_up("failed", error)
            case Refused(request_id, error):
                if request_id in self._streams:
                    self._fail(self._streams[request_id], error)
            case Happened():
                self._take(message)

    def _begin(self, info: EngineInfo) -> None:
        if self.state == "loading":
            self.state, self.info = "ready", info
            self._settled.set()
            for stream in self._streams.values():
                self._worker.send(stream.request)

    def _take(self, message: Happened) -> None:
        if message.failure is not None:
            self._fail_begun(f"The engine failed while it wrote this answer: {message.failure}; ask again.")
        for event in message.events:
            self._note(event)
        for output in message.outputs:
            self._deliver(output)

    def _note(self, event: Event) -> None:
        stream = self._streams.get(event.request_id or "")
        if stream is not None:
            if event.kind == "queued" and not stream.taken_in:
                stream.taken_in = True
                stream.inbox.put_nowait(None)
            elif event.kind == "scheduled":
                stream.begun = True
            elif event.kind == "finished" and event.facts["reason"] == "cancelled":
                self._deliver(_cancelled(stream.request.id, event.index, event.facts["stats"]))
        if self._listener is not None:
            # Called on its own, so that an error of the listener's is no error of ours.
            asyncio.get_running_loop().call_soon(self._listener, event)

    def _deliver(self, output: StepOutput) -> None:
        stream = self._streams.get(output.request_id)
        if stream is None:
            return
        stream.inbox.put_nowait(output)
        if output.finish_reason is not None:
            stream.unfinished.discard(output.index)
            if not stream.unfinished:
                self._end(stream)

    def _fail(self, stream: _Stream, error: MistraletError) -> None:
        stream.inbox.put_nowait(error)
        self._end(stream)

    def _end(self, stream: _Stream) -> None:
        del self._streams[stream.request.id]
        stream.ended.set()

    def _fail_begun(self, problem: str) -> None:
        for stream in list(self._streams.values()):
            if stream.begun:
                self._fail(stream, EngineError(problem))

    def _restart(self, how_it_ended: str) -> None:
        """The worker has died: what it had begun is lost, the rest waits for another one."""
        if self._failure is not None:
            return
        if not self._settled.is_set():
            self._give_up("failed", EngineError(f"The engine's process {how_it_ended} before it had loaded the model."))
            return
        self._fail_begun(f"The engine's process {how_it_ended} while it wrote this answer; ask again.")
        self._deaths.append(time.monotonic())
        if len(self._deaths) > _RESTARTS and self._deaths[-1] - self._deaths[0] < _PERIOD:
            self._give_up(
                "failed",
                EngineError(
                    f"The engine's process {how_it_ended}, the {len(self._deaths)}th time within"
                    f" {_PERIOD / 60:.0f} minutes; it is not started again, see what it printed."
                ),
            )
            return
        self.state = "loading"
        self.restarts += 1
        for stream in list(self._streams.values()):
            if stream.cancelled:
                self._cancel_here(stream)
        self._worker = self._start_worker()

    def _give_up(self, state: AsyncEngineState, error: MistraletError) -> None:
        """Nothing runs any more."""
        self.state, self._failure = state, error
        for stream in list(self._streams.values()):
            self._fail(stream, copy.copy(error))
        self._settled.set()


@dataclass(eq=False)
class _Stream:
    """What is on its way to someone who asked."""

    request: Request
    # None: the request is taken in. An error ends the stream. It holds at most what a request may generate.
    inbox: asyncio.Queue[StepOutput | MistraletError | None] = field(default_factory=asyncio.Queue)
    unfinished: set[int] = field(init=False)  # of the answers
    ended: asyncio.Event = field(default_factory=asyncio.Event)  # in the worker
    taken_in: bool = False
    begun: bool = False
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.unfinished = set(range(self.request.params.n))


def _cancelled(request_id: str, index: int, stats: RequestStats) -> StepOutput:
    return StepOutput(
        request_id=request_id,
        index=index,
        token_ids=[],
        text="",
        finish_reason="cancelled",
        error=None,
        stats=stats,
    )
