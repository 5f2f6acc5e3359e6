"""The servers that are measured, each in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from mistralet.errors import UsageError

_PATIENCE = 120.0  # seconds until a server answers


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[tuple[str, int]]:
    """A server while the block runs: where it is, and the id of its process.

    Raises:
        UsageError: it does not come up.
    """
    url = f"http://127.0.0.1:{port}"
    # To a file, not a pipe that nobody reads: once it is full, the servers wait.
    with TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log)
        try:
            _wait_for(url, process, log)
            yield url, process.pid
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def ours(model: Path, port: int, kv_tokens: int) -> list[str]:
    """The command for `mistralet serve`."""
    return [sys.executable, "-m", "mistralet", "serve", str(model), f"--port={port}", f"--kv-tokens={kv_tokens}"]


def stamped(model: Path, port: int, kv_tokens: int) -> list[str]:
    """The command for the same server, whose tokens say when they were chosen (`bench.server_stamped`)."""
    return [sys.executable, "-m", "bench.server_stamped", str(model), str(port), str(kv_tokens)]


def llama_cpp(python: Path, model: Path, port: int, context: int, threads: int) -> list[str]:
    """The command for llama.cpp's server for Python, which answers one request at a time."""
    settings = [f"--model={model}", f"--port={port}", f"--n_ctx={context}", f"--n_threads={threads}"]
    return [str(python), "-m", "llama_cpp.server", *settings, f"--n_threads_batch={threads}", "--verbose=false"]


def _wait_for(url: str, process: subprocess.Popen[bytes], log: IO[str]) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            log.seek(0)
            last = log.read().strip().splitlines()[-1:]
            raise UsageError(f"The server at {url} ended before it could be asked: {' '.join(last)}")
        try:
            urllib.request.urlopen(f"{url}/v1/models", timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise UsageError(f"The server at {url} did not come up within {_PATIENCE:.0f} seconds.")
