"""`mistralet serve`, as a user starts it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

SECONDS = 60  # after which what hangs has failed


@dataclass
class Served:
    """A server that runs."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def worker(self) -> psutil.Process:
        """The process of its engine: of its children the one with the most memory."""
        children = psutil.Process(self.process.pid).children()
        return max(children, key=lambda child: child.memory_info().rss)

    def figures(self, **given: Any) -> dict[str, float]:
        """What /metrics tells, labels left out."""
        text = httpx2.get(f"{self.url}/metrics", **given).text
        return {name: float(value) for name, value in re.findall(r"^(mistralet_\w+) (\S+)$", text, re.MULTILINE)}

    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]


@contextmanager
def serving(log: Path, *arguments: object) -> Iterator[Served]:
    """Start a server at any free port; it is killed at the end if it has not ended."""
    command = [sys.executable, "-m", "mistralet", "serve", *map(str, arguments), "--port", "0"]
    with log.open("w") as written, subprocess.Popen(command, stderr=written, text=True) as process:
        try:
            settled(lambda: " is served at " in log.read_text() or process.poll() is not None)
            match = re.search(r"is served at (\S+)", log.read_text())
            assert match, log.read_text()
            yield Served(match.group(1), process, log)
        finally:
            process.kill()


def settled(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.02)
