"""`Trial`: the process in which grammars are tried, seen from the process of the model."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence

from mistralet.engine.constraint import trial


class Trial:
    """Tries grammars one after the other, from any thread but one at a time; starts its process when first asked."""

    def __init__(self, pieces: Sequence[bytes], stop_ids: Sequence[int], seconds: float) -> None:
        """
        Args:
            pieces: the bytes of each token; empty for control tokens.
            seconds: for one grammar.
        """
        self._vocabulary = json.dumps([[piece.decode("latin-1") for piece in pieces], list(stop_ids)])
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def problem(self, grammar: str) -> str | None:
        """What is wrong with a grammar; None if nothing is."""
        if self._process is not None and self._process.poll() is not None:
            self.close()  # someone else ended it
        process = self._process = self._process or self._start()
        timed_out = threading.Event()

        def stop() -> None:
            timed_out.set()
            process.kill()

        timer = threading.Timer(self._seconds, stop)
        timer.start()
        try:
            answer = _ask(process, json.dumps(grammar))
        finally:
            timer.cancel()
            timer.join()
        if answer and not timed_out.is_set():
            return json.loads(answer)  # type: ignore[no-any-return]
        self.close()
        return f"takes more than {self._seconds:g} s to compile" if timed_out.is_set() else "is too large to compile"

    def close(self) -> None:
        """End the process; the next grammar starts another."""
        if self._process is not None:
            self._end()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-P", trial.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._end = weakref.finalize(self, _end, process)  # also when nobody closes it
        if not _ask(process, self._vocabulary):
            raise RuntimeError(f"the process that tries grammars did not start: {sys.executable} {trial.__file__}")
        return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    with process:  # closes the pipes and waits
        pass


def _ask(process: subprocess.Popen[str], line: str) -> str:
    """What the process answers to a line; empty if it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline()
