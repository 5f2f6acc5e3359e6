"""Logs: lines reach their stream, and a stream that takes none holds nobody up."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from mistralet.server.log_writer import LogWriter


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("mistralet.server", logging.INFO, __file__, 1, text, None, None)


@contextmanager
def unread_pipe() -> Iterator[tuple[io.TextIOWrapper, int]]:
    """A pipe that takes a few thousand bytes, and then no more until somebody reads."""
    reading, writing = os.pipe()
    try:
        with os.fdopen(writing, "w") as stream:
            yield stream, reading
    finally:
        os.close(reading)


def test_lines_are_written_by_the_time_it_is_closed() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream)
    for number in range(100):
        writer.emit(record(f"line {number}"))
    writer.close()
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(100)]


def test_a_log_that_nobody_reads_holds_nobody_up_and_tells_what_was_lost() -> None:
    with unread_pipe() as (stream, reading):
        writer = LogWriter(stream, most_lines=10)
        for number in range(500):
            writer.emit(record(f"{number} {'x' * 1000}"))  # more than the pipe and the queue take
        read = b""
        while b"lines were lost" not in read:
            read += os.read(reading, 1 << 16)
            writer.emit(record("one more"))
        writer.close()
    numbers = [int(line.split()[0]) for line in read.decode().splitlines() if " x" in line]
    assert numbers == list(range(len(numbers)))
    told, *_ = [line for line in read.decode().splitlines() if "lost" in line]
    assert int(told.split()[0]) >= 500 - len(numbers)


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
    assert stream.getvalue() == "kept\n"
