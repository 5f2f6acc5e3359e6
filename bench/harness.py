"""One measurement of one program, the same for every program. Runs in its own process; needs nothing but Python.

A program is a function that takes token ids and a number of tokens and yields that many, chosen greedily. The lists of
ids of a job start unlike each other, so that nothing computed for one helps with the next. The clock is read here, on
the outside.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

Stream = Callable[[list[int], int], Iterator[int]]

_WARM_UP_TOKENS = 4


@dataclass(frozen=True)
class Job:
    """What to measure."""

    model: str  # path
    threads: int
    started: float  # `time.time()` just before the process was started
    first: list[int]  # the ids read before the first token
    warm_up: list[int]  # ids read before anything else is timed, unless nothing else is
    prompts: list[list[int]]  # ids whose reading is timed
    contexts: list[list[int]]  # ids after which decoding is timed
    decode_tokens: int
    flash_attention: bool = True  # for programs that have it both ways

    @property
    def room(self) -> int:
        """Tokens that the longest measurement has in all."""
        ids = max(map(len, [self.first, self.warm_up, *self.prompts, *self.contexts]))
        return ids + max(self.decode_tokens, _WARM_UP_TOKENS) + 1


@dataclass(frozen=True)
class Result:
    """What was measured, in the order of the job."""

    first_token: int  # its id
    first_token_seconds: float  # since the process was started
    prefill: list[float]  # tokens per second
    decode: list[float]  # tokens per second
    peak_memory: int  # bytes in RAM at once, mapped files included


def main(describe: Callable[[], dict[str, str]], open_program: Callable[[Job], Stream]) -> None:
    """Print one line of JSON: what the program is if the argument is `describe`, else the result of a job.

    The job is a line of JSON on standard input.
    """
    if sys.argv[1:] == ["describe"]:
        print(json.dumps(describe()), flush=True)
        return
    job = Job(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(measure(job, open_program(job)))), flush=True)


def measure(job: Job, stream: Stream) -> Result:
    """Do the job with a program that is ready to run."""
    (token,) = stream(job.first, 1)
    first_token_seconds = time.time() - job.started
    if job.prompts or job.contexts:
        for _ in stream(job.warm_up, _WARM_UP_TOKENS):  # every page is in memory before anything is timed
            pass
    prefill = [len(ids) / _timed(stream, ids, 1)[0] for ids in job.prompts]
    decode = [job.decode_tokens / _timed(stream, ids, job.decode_tokens + 1)[1] for ids in job.contexts]
    return Result(token, first_token_seconds, prefill, decode, peak_memory())


def _timed(stream: Stream, ids: list[int], tokens: int) -> tuple[float, float]:
    """Seconds until the first token, and from there to the last."""
    started = time.perf_counter()
    running = stream(ids, tokens)
    next(running)
    first = time.perf_counter()
    for _ in running:
        pass
    return first - started, time.perf_counter() - first


def peak_memory() -> int:
    """The most bytes this process had in RAM at once."""
    try:
        # Not getrusage: on Linux its figure starts from the parent's.
        match = re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        match = None
    if match:
        return int(match.group(1)) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
