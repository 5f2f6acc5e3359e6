"""From the first load of a model until the last answer is out."""

from __future__ import annotations

import asyncio
import math
import signal
import socket
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from mistralet.chat import ChatFormat, chat_format
from mistralet.checkpoint import open_checkpoint
from mistralet.config import VisionConfig
from mistralet.engine import AsyncEngine, EngineOptions, LoadSpec
from mistralet.engine.load import load_tokenizer
from mistralet.engine.packed_file import Progress
from mistralet.errors import TokenizerError
from mistralet.server.app import create_app
from mistralet.server.auth import Keys
from mistralet.server.figures import Metrics
from mistralet.server.logs import log_to
from mistralet.server.service import Service
from mistralet.server.settings import Settings
from mistralet.server.tracing import exporting, finish
from mistralet.tokenizer import Tokenizer

_POLL = 0.05  # seconds
# Seconds that the network gets, after the engine has ended, to take what was written.
_LAST_WORDS = 5
_KEEP_ALIVE = 30  # seconds that a connection may wait for its next request


def load_spec(settings: Settings, path: Path, draft: Path | None) -> LoadSpec:
    """How the settings want a model to run."""
    options = EngineOptions(
        kv_type=settings.kv_type, kv_tokens=settings.kv_tokens, max_sequences=settings.max_sequences
    )
    return LoadSpec(
        path,
        settings.device,
        options,
        draft,
        settings.quantization,
        settings.tensor_parallel,
        settings.library_bytes,
    )


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a server's coroutine to its end, in the fastest event loop there is."""
    new_event_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ImportError):  # there is none for Windows
        from uvloop import new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(work)


async def serve(
    settings: Settings,
    keys: Keys,
    spec: LoadSpec,
    name: str,
    bound: socket.socket,
    progress: Progress | None = None,
    on_ready: Callable[[Service], None] = lambda _service: None,
) -> None:
    """Load a model and serve it until the process is told to end.

    Raises:
        MistraletError: what keeps the model from being loaded.
    """
    log_to()
    metrics = Metrics()
    traces = exporting(settings.otlp_endpoint) if settings.otlp_endpoint else None
    reading = asyncio.create_task(asyncio.to_thread(_tokenizer, spec.path))
    try:
        async with AsyncEngine.start(spec, progress, metrics.hear) as engine:
            tokenizer, chat = await reading
            service = Service(engine, tokenizer, chat, name, int(time.time()), settings, metrics)
            config = uvicorn.Config(
                create_app(service, keys, traces),
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # anybody could claim any address
                ws="none",
                timeout_keep_alive=_KEEP_ALIVE,
                timeout_graceful_shutdown=math.ceil(settings.grace_seconds) + _LAST_WORDS,
                ssl_certfile=settings.tls_certificate,
                ssl_keyfile=settings.tls_key,
            )
            server = Server(config, service, engine)
            server.when_ready(on_ready)
            await server.serve([bound])
    finally:
        if traces is not None:
            await asyncio.to_thread(finish, traces)
        reading.cancel()
        with suppress(BaseException):
            await reading


class Server(uvicorn.Server):
    """uvicorn, which lets answers end before it does."""

    def __init__(self, config: uvicorn.Config, service: Service, engine: AsyncEngine) -> None:
        super().__init__(config)
        self._service = service
        self._engine = engine
        self._tasks: set[asyncio.Task[None]] = set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """End in order at SIGTERM and SIGINT; at once at the second."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for each in signals:
            loop.add_signal_handler(each, self.end)
        try:
            yield
        finally:
            for each in signals:
                loop.remove_signal_handler(each)

    def when_ready(self, call: Callable[[Service], None]) -> None:
        """Call something as soon as connections are taken."""

        async def wait() -> None:
            while not self.started:
                await asyncio.sleep(_POLL)
            call(self._service)

        self._run(wait())

    def end(self) -> None:
        """Begin nothing more; end when the answers have, or their time is over."""
        seconds = 0.0 if self._service.draining else self._service.settings.grace_seconds
        self.should_exit = self._service.draining = True
        self._run(self._close_engine(seconds))

    async def _close_engine(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._engine.unfinished:
                    await asyncio.sleep(_POLL)
        # What still runs breaks off with an error that the caller is told.
        await self._engine.close()

    def _run(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _tokenizer(path: Path) -> tuple[Tokenizer, ChatFormat | TokenizerError]:
    checkpoint = open_checkpoint(path)
    tokenizer = load_tokenizer(checkpoint)
    vision: VisionConfig | None = checkpoint.config.vision
    try:
        return tokenizer, chat_format(tokenizer, vision)
    except TokenizerError as error:
        return tokenizer, error
