"""`Service`: what the endpoints share, from the engine to the settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from mistralet.chat import ChatFormat
from mistralet.engine import EngineInfo, Request, StepOutput
from mistralet.engine.async_engine import AsyncEngineState
from mistralet.errors import MistraletError
from mistralet.server.errors import ApiError
from mistralet.server.fields import ModelBody
from mistralet.server.figures import Metrics
from mistralet.server.limits import too_many
from mistralet.server.settings import Settings
from mistralet.tokenizer import Tokenizer

T = TypeVar("T")
# Threads in which prompts are made: more would only take turns.
_THREADS = 2
_READERS = 2  # processes that read files at once: each may take gigabytes of memory


class ServedEngine(Protocol):
    """What a server asks of an `AsyncEngine`."""

    @property
    def state(self) -> AsyncEngineState:
        """Whether requests run."""

    @property
    def info(self) -> EngineInfo:
        """Of the model."""

    @property
    def restarts(self) -> int:
        """Times its process was started again."""

    @property
    def unfinished(self) -> int:
        """Requests that run or wait."""

    async def submit(self, request: Request) -> AsyncGenerator[StepOutput, None]:
        """See `AsyncEngine.submit`."""


@dataclass
class Service:
    """A model that is served."""

    engine: ServedEngine
    tokenizer: Tokenizer
    chat: ChatFormat | MistraletError  # the error tells why there is none
    name: str  # of the model, for callers
    created: int  # seconds since 1970
    settings: Settings
    metrics: Metrics = field(default_factory=Metrics)
    draining: bool = False  # nothing new is begun
    readers: asyncio.Semaphore = field(init=False)  # to be held while a file is read
    _threads: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self.readers = asyncio.Semaphore(_READERS)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="prompt")

    async def in_thread(self, work: Callable[[], T]) -> T:
        """The result of work that takes long, while the event loop goes on."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def check_room(self) -> None:
        """Raises `ApiError` if nothing more is begun, or too much runs and waits already."""
        if self.draining:
            raise ApiError(503, "The server is about to end; ask another one.", headers={"Retry-After": "10"})
        most = self.settings.max_requests
        if self.engine.unfinished >= most:
            raise too_many(f"{most} requests run or wait already; try again in a moment.", 1)

    def check(self, body: ModelBody) -> None:
        """Raises `ApiError` if a request has fields that are refused, or names a model that is not here."""
        body.refuse_unknown(self.settings)
        self.check_model(body.model)

    def check_model(self, name: str | None) -> None:
        """Raises `ApiError` if a request names a model that is not here."""
        if name not in (None, "", self.name):
            raise ApiError(
                404, f"There is no model {name!r} here; this server has '{self.name}'.", "model", "model_not_found"
            )

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
