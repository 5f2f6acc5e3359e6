"""The worker of an `AsyncEngine`: a process that loads a model, then runs what it is sent until nobody listens."""

from __future__ import annotations

import os
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import TYPE_CHECKING, TypeAlias

from mistralet.engine.engine import Engine
from mistralet.engine.events import Event
from mistralet.engine.messages import (
    Cancel,
    EngineInfo,
    FromWorker,
    Happened,
    Loaded,
    Loading,
    NotLoaded,
    Refused,
    ToWorker,
    dump,
    load,
)
from mistralet.engine.packed_file import Progress
from mistralet.engine.request import Request, StepOutput
from mistralet.errors import EngineError, MistraletError
from mistralet.ops import BLOCK_SIZE

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# Makes the engine, in the worker: sent there by pickle, as `LoadSpec` is, or a function of a module.
NewEngine: TypeAlias = Callable[[Progress], Engine]


def work(new_engine: NewEngine, inbox: Connection, outbox: Connection) -> None:
    """The worker's whole life. It ends when the other end of the inbox is closed, or the process there dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the other one ends this one in order
    with suppress(EOFError, BrokenPipeError):
        try:
            engine = new_engine(lambda done, total: outbox.send_bytes(dump(Loading(done, total))))
        except MistraletError as error:
            outbox.send_bytes(dump(NotLoaded(error)))
        else:
            with closing(engine):
                Worker(engine, inbox, outbox).run()


class Worker:
    """An engine between two pipes."""

    def __init__(self, engine: Engine, inbox: Connection, outbox: Connection) -> None:
        self.engine = engine
        self.inbox = inbox
        self.outbox = outbox
        self._events: list[Event] = []
        self._unfinished: Counter[str] = Counter()  # answers of each request
        self._begun: set[str] = set()  # requests of which an answer has been scheduled, until all have ended
        self._step_failed = False  # the last one
        engine.listener = self._hear

    def run(self) -> None:
        """Run requests as they come.

        Raises:
            EOFError, BrokenPipeError: nobody listens any more.
        """
        engine = self.engine
        kv_tokens = engine.pool.size * BLOCK_SIZE
        self._send(Loaded(EngineInfo(engine.model.config, engine.context, kv_tokens, os.getpid())))
        while True:
            while not engine.has_work or self.inbox.poll():
                self._obey(load(self.inbox.recv_bytes()))
            self._step()

    def _obey(self, message: ToWorker) -> None:
        if isinstance(message, Cancel):
            self.engine.cancel(message.request_id)
        else:
            self._add(message)
        self._tell()

    def _add(self, request: Request) -> None:
        try:
            self.engine.add(request)
        except MistraletError as error:
            self._send(Refused(request.id, error))
        except Exception as error:
            traceback.print_exc()
            self.engine.cancel(request.id)
            self._send(Refused(request.id, EngineError(f"The engine cannot take this request in: {error!r}.")))

    def _step(self) -> None:
        try:
            outputs = self.engine.step()
        except Exception as error:
            traceback.print_exc()
            if not self._can_go_on():
                os._exit(1)  # without tidying up, for callers wait to hear of it
            self._tell(failure=repr(error))
        else:
            self._step_failed = False
            self._tell(outputs)

    def _can_go_on(self) -> bool:
        """After a failed step, end all that was begun; whether that leaves the engine as if it had never been."""
        cause_is_gone = bool(self._begun) and not self._step_failed
        self._step_failed = True
        for request_id in list(self._begun):
            self.engine.cancel(request_id)
        return cause_is_gone and self.engine.pool.free == self.engine.pool.size

    def _hear(self, event: Event) -> None:
        self._events.append(event)
        request_id = event.request_id
        if request_id is None:
            return
        if event.kind == "queued":
            self._unfinished[request_id] += 1
        elif event.kind == "scheduled":
            # Told before the step, for if that kills this process, the request may be the cause.
            self._begun.add(request_id)
            self._tell()
        elif event.kind == "finished":
            self._unfinished[request_id] -= 1
            if not self._unfinished[request_id]:
                del self._unfinished[request_id]
                self._begun.discard(request_id)

    def _send(self, message: FromWorker) -> None:
        self.outbox.send_bytes(dump(message))

    def _tell(self, outputs: Sequence[StepOutput] = (), failure: str | None = None) -> None:
        if outputs or self._events or failure:
            self._send(Happened(outputs, self._events, failure))
        self._events = []
