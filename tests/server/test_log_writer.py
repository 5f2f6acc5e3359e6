"""Logs: lines reach their stream, and a stream that takes none holds nobody up."""

from __future__ import annotations

import io
import logging
import time
from threading import Event

from mistralet.server.log_writer import LogWriter


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("mistralet.server", logging.INFO, __file__, 1, text, None, None)


class Unread(io.StringIO):
    """A stream that is not read until a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.waits, self.read = Event(), Event()

    def write(self, text: str) -> int:
        self.waits.set()
        self.read.wait()
        return super().write(text)

    def wait_for(self, lines: int) -> list[str]:
        while len(written := self.getvalue().splitlines()) < lines:
            time.sleep(0.001)
        return written


def test_lines_are_written_by_the_time_it_is_closed() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream)
    for number in range(100):
        writer.emit(record(f"line {number}"))
    writer.close()
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_a_log_that_nobody_reads_holds_nobody_up_and_tells_what_was_lost() -> None:
    stream = Unread()
    writer = LogWriter(stream, most_lines=3)
    writer.emit(record("0"))
    stream.waits.wait()
    for number in range(1, 9):
        writer.emit(record(str(number)))
    stream.read.set()
    assert stream.wait_for(lines=4) == ["0", "1", "2", "3"]
    writer.emit(record("9"))
    writer.close()
    assert stream.getvalue().splitlines()[4:] == ["5 lines were lost: the log was not read", "9"]


def test_the_end_does_not_wait_for_who_does_not_read() -> None:
    stream = Unread()
    writer = LogWriter(stream, most_lines=1)
    for number in range(3):
        writer.emit(record(str(number)))
    writer.close()
    stream.read.set()


def test_a_stream_that_fails_loses_its_line_only() -> None:
    class Full(io.StringIO):
        full = True

        def write(self, text: str) -> int:
            if self.full:
                self.full = False
                raise OSError(28, "No space left on device")
            return super().write(text)

    stream = Full()
    writer = LogWriter(stream)
    writer.emit(record("lost"))
    writer.emit(record("kept"))
    writer.close()
    assert stream.getvalue() == "\nkept\n"  # apart from what may be there of the line before
