"""Python programs that read what a stranger sent: such a file can keep its reader busy for hours, fill the memory, or
crash it, so that it is read in a process of its own that is ended.

This file is also how such a process begins: `python -I limited_program.py PROGRAM SECONDS MEMORY` limits itself, then
runs the program. It imports nothing of mistralet, as its packages take long to import.
"""

from __future__ import annotations

import contextlib
import math
import os
import runpy
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import IO

_MEMORY = 2 << 30  # bytes
_SIZE = struct.Struct("<Q")  # of a message, before it
_QUESTION = struct.Struct("<dQ")  # seconds for an answer, and the size of the question, before it


class ProgramError(Exception):
    """A program ended with an error, or was ended because it took too much memory or processor time."""


async def run_limited(program: str, data: bytes, seconds: float) -> bytes:
    """What a program, a Python file, writes when it gets `data` on its standard input.

    Raises:
        TimeoutError: it takes longer than `seconds`.
        ProgramError: it does not come to its end.
    """
    import asyncio  # the processes that begin here need it not

    process = await asyncio.create_subprocess_exec(
        *_command(program, math.ceil(seconds), _MEMORY),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds):
            written, _ = await process.communicate(data)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    if process.returncode:
        raise ProgramError
    return written


class LimitedProgram:
    """A program that stays, and answers one question after the other with what it has already read; see `answer_with`.

    It is ended when it takes too much, and with this process. Threads that ask at the same time wait for each other.
    """

    def __init__(self, program: str, memory: int = _MEMORY) -> None:
        """
        Args:
            memory: bytes of addresses that it may use.
        """
        self._process = subprocess.Popen(
            _command(program, 0, memory),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._asking = threading.Lock()

    def ask(self, question: bytes, seconds: float) -> bytes:
        """What the program answers within `seconds`. After an error or an interruption it has ended.

        Raises:
            TimeoutError: it takes longer.
            ProgramError: it ends without an answer, or had ended.
        """
        late = threading.Event()
        with self._asking, self._ended_after(seconds, late):
            try:
                assert self._process.stdin is not None
                assert self._process.stdout is not None
                self._process.stdin.write(_QUESTION.pack(seconds, len(question)))
                self._process.stdin.write(question)
                self._process.stdin.flush()
                return _message(self._process.stdout)
            except (EOFError, OSError, ValueError) as error:  # a pipe that was closed: by its end, or by `close`
                self.close()
                raise TimeoutError if late.is_set() else ProgramError from error
            except BaseException:  # Ctrl-C: its answer must not be taken for that to the next question
                self.close()
                raise

    def close(self) -> None:
        """End the program, also while it is asked."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # what was not yet written to it
                assert pipe is not None
                pipe.close()

    @contextlib.contextmanager
    def _ended_after(self, seconds: float, late: threading.Event) -> Iterator[None]:
        def end() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def answer_with(answer: Callable[[bytes], bytes], threads: int = 1) -> None:
    """What a `LimitedProgram` does: answer questions until there are no more.

    Args:
        threads: that work on an answer, each of which takes processor time.
    """
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    while head := questions.read(_QUESTION.size):
        seconds, size = _QUESTION.unpack(head)
        _limit_seconds_from_now(seconds * threads)
        answered = answer(questions.read(size))
        answers.write(_SIZE.pack(len(answered)))
        answers.write(answered)
        answers.flush()


def _message(pipe: IO[bytes]) -> bytes:
    head = pipe.read(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError
    (size,) = _SIZE.unpack(head)
    message = pipe.read(size)
    if len(message) < size:
        raise EOFError
    return message


def _command(program: str, seconds: int, memory: int) -> list[str]:
    return [sys.executable, "-I", __file__, program, str(seconds), str(memory)]


def _limit(seconds: int, memory: int) -> None:
    """Limit this process; without `seconds`, its memory only."""
    with contextlib.suppress(ImportError):  # not everywhere
        import resource

        if seconds:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _limit_seconds_from_now(seconds: float) -> None:
    """So that a process whose parent was killed, and ends it no more, does not go on for ever."""
    with contextlib.suppress(ImportError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        end = math.ceil(used.ru_utime + used.ru_stime + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (end if most < 0 else min(end, most), most))


if __name__ == "__main__":
    # Ctrl-C reaches all processes of a terminal. It is for the caller, who ends this one if need be.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(int(sys.argv[2]), int(sys.argv[3]))
    runpy.run_path(sys.argv[1], run_name="__main__")
