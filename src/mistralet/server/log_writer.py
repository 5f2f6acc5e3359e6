"""A log written by a thread of its own: whoever reads it may stop reading, and no request waits for that."""

from __future__ import annotations

import logging
from queue import Full, Queue
from threading import Event, Thread
from typing import TextIO

_MOST_LINES = 10_000  # that wait to be written
_LAST_SECONDS = 1.0  # for what still waits at the end


class LogWriter(logging.Handler):
    """Writes records to a stream, a line each. Lines that find no room are counted, and told once there is some."""

    def __init__(self, target: TextIO, most_lines: int = _MOST_LINES) -> None:
        super().__init__()
        self._target = target
        self._lines: Queue[str | None] = Queue(most_lines)
        self._lost = 0
        self._ended = Event()
        Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging`; never waits."""
        if self._lost and not self._put(self._report(record)):
            self._lost += 1
            return
        self._lost = 0
        if not self._put(self.format(record)):
            self._lost = 1

    def close(self) -> None:
        """Write what waits, as far as it is taken at once."""
        super().close()
        if self._put(None):
            self._ended.wait(_LAST_SECONDS)

    def _put(self, line: str | None) -> bool:
        try:
            self._lines.put_nowait(line)
        except Full:
            return False
        return True

    def _report(self, record: logging.LogRecord) -> str:
        args = (record.name, logging.WARNING, __file__, 0, "%d lines were lost: the log was not read", (self._lost,))
        return self.format(logging.LogRecord(*args, exc_info=None))

    def _write(self) -> None:
        begin = ""
        while (line := self._lines.get()) is not None:
            try:
                self._target.write(f"{begin}{line}\n")
                self._target.flush()
                begin = ""
            except (OSError, ValueError):  # a full disk, a closed pipe: no reason to end
                begin = "\n"  # the line before may be half there
        self._ended.set()
