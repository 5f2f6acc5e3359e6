"""Runs the measured programs: each in a process of its own, started anew for every job."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.batched import BatchJob, BatchResult
from bench.harness import Job, Result
from mistralet.errors import UsageError

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Program:
    """A program that does the jobs of `harness`."""

    name: str
    command: tuple[str, ...]

    def describe(self) -> dict[str, str]:
        """What it is: versions, instruction sets.

        Raises:
            UsageError: it does not run.
        """
        facts: dict[str, str] = self._run(["describe"], "", {})
        return facts

    def measure(self, job: Job, environment: Mapping[str, str] | None = None) -> Result:
        """The result of a job, which starts now.

        Args:
            environment: variables to set beside this process's own.

        Raises:
            UsageError: the program fails.
        """
        job = replace(job, started=time.time())
        return Result(**self._run([], json.dumps(asdict(job)) + "\n", environment or {}))

    def measure_batch(self, job: BatchJob) -> BatchResult:
        """The result of a job of many answers.

        Raises:
            UsageError: the program fails.
        """
        return BatchResult(**self._run(["batched"], json.dumps(asdict(job)) + "\n", {}))

    def _run(self, arguments: list[str], line: str, environment: Mapping[str, str]) -> Any:
        with tempfile.TemporaryFile("w+", errors="replace") as log:
            process = subprocess.Popen(
                [*self.command, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env={**os.environ, **environment},
            )
            try:
                output, _ = process.communicate(line)
            finally:  # also after Ctrl-C: nothing goes on behind the user's back
                process.kill()
                process.wait()
            if process.returncode == 0:
                try:
                    return json.loads(output)
                except ValueError:
                    raise UsageError(
                        f"{self.name} did not print what it measured, but '{output.strip():.80}'."
                    ) from None
            log.seek(0)
            reason = (log.read().strip().splitlines() or [f"exit code {process.returncode}"])[-1]
        raise UsageError(f"{self.name} failed ({reason.rstrip('.')}); run '{' '.join(self.command)}' to see why.")


def mistralet() -> Program:
    """mistralet in this Python."""
    return Program("mistralet", (sys.executable, "-m", "bench.runner_mistralet"))


def llama_cpp(python: Path) -> Program:
    """llama.cpp in the Python interpreter at `python`.

    Raises:
        UsageError: it is not installed there.
    """
    # As a shell finds it; a link is left as it is, since an environment's Python is one.
    python = Path(shutil.which(python) or python).absolute()
    find = "import importlib.util, sys; sys.exit(importlib.util.find_spec('llama_cpp') is None)"
    try:
        is_missing = subprocess.run([python, "-c", find], stdin=subprocess.DEVNULL, check=False).returncode != 0
    except OSError as error:
        raise UsageError(
            f"{python}: cannot be run ({error.strerror or error}); name a Python with --peer-python."
        ) from error
    if is_missing:
        raise UsageError(
            f"llama-cpp-python is not installed for {python}; run 'CMAKE_ARGS=-DGGML_NATIVE=on {python} -m pip install "
            "llama-cpp-python==0.3.36' (it compiles for some minutes), or name a Python that has it with --peer-python."
        )
    return Program("llama.cpp", (str(python), "-m", "bench.runner_llama_cpp"))
