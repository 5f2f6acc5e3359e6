"""`WorkerProcess`: the worker, seen from the event loop that started it."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from queue import SimpleQueue
from threading import Thread

from mistralet.engine.messages import FromWorker, Refused, ToWorker, dump, load
from mistralet.engine.request import Request
from mistralet.engine.worker import NewEngine, work
from mistralet.errors import EngineError

# Seconds that a worker gets to end by itself, then to obey each of the signals that follow.
_PATIENCE = 2.0


class WorkerProcess:
    """A process that runs `worker.work`, with a thread for each direction, so that nothing here ever waits for it."""

    def __init__(
        self, new_engine: NewEngine, on_message: Callable[[FromWorker], None], on_death: Callable[[str], None]
    ) -> None:
        """Start it; needs a running event loop.

        Args:
            on_message: called in the event loop.
            on_death: called in the event loop, after the last message, with how it ended.
        """
        self._loop = asyncio.get_running_loop()
        self._gone = asyncio.Event()
        self._letters: SimpleQueue[ToWorker | None] = SimpleQueue()  # None: there will be no more
        spawning = multiprocessing.get_context("spawn")
        inbox, to_worker = spawning.Pipe(duplex=False)
        from_worker, outbox = spawning.Pipe(duplex=False)
        # A daemon, so that it also ends if nobody closes the engine.
        self._process = spawning.Process(target=work, args=(new_engine, inbox, outbox), daemon=True)
        # The worker's ends must be open in the worker only: when it dies, that is how it is known.
        with inbox, outbox, _interrupts_held():
            self._process.start()

        def write() -> None:
            with to_worker, suppress(OSError):
                while (message := self._letters.get()) is not None:
                    try:
                        data = dump(message)
                    except Exception as error:  # pickle has no common one
                        assert isinstance(message, Request)
                        problem = EngineError(f"The request cannot be sent to the engine's process: {error}.")
                        self._call(on_message, Refused(message.id, problem))
                    else:
                        to_worker.send_bytes(data)

        def read() -> None:
            try:
                with from_worker, suppress(EOFError, OSError):
                    while True:
                        self._call(on_message, load(from_worker.recv_bytes()))
            finally:
                self._letters.put(None)
                self._process.join()
                self._call(self._gone.set)
                self._call(on_death, _how_it_ended(self._process.exitcode))

        for task in (write, read):
            Thread(target=task, name=f"engine-{task.__name__}", daemon=True).start()

    def send(self, message: ToWorker) -> None:
        """Send a message, which may wait on the way as long as it likes."""
        self._letters.put(message)

    async def close(self) -> None:
        """Let the worker end after its step; use force if it does not."""
        ways: list[Callable[[], None]] = [lambda: self._letters.put(None), self._process.terminate, self._process.kill]
        for end in ways:
            end()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), _PATIENCE)
                return

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the event loop is closed, nobody cares any more
            self._loop.call_soon_threadsafe(function, *arguments)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back; a process that is started meanwhile never gets it, from its first instruction on."""
    # Starting the tracker lets Ctrl-C through again, so it must not be the worker's start that starts it.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _how_it_ended(exit_code: int | None) -> str:
    if exit_code == -signal.SIGKILL:
        return "was killed (is the machine short of memory?)"
    if exit_code is not None and exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"
