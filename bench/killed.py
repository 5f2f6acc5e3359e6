"""A worker that is killed while it writes: how long its callers wait for the error, and others for a new worker."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

from bench.bars import Chapter, Figure
from bench.decoder import random_ids
from bench.progress import Steps
from bench.report import Row
from mistralet.engine import AsyncEngine, EngineOptions, LoadSpec, Request, SamplingParams
from mistralet.errors import EngineError
from mistralet.model import Prompt

BAR = 1.0  # s, until every caller has its error
_ANSWERS = 8  # that are being written
_TOKENS = 2000  # of each: none ends by itself


def run(title: str, model: Path, vocab_size: int, rounds: int, steps: Steps) -> Chapter:
    """Kill the worker in each round, once all answers are being written."""
    with steps.step(f"{title}: a worker killed, {rounds} times"):
        errors, answers = zip(*[asyncio.run(_killed(model, vocab_size)) for _ in range(rounds)], strict=True)
    return Chapter(
        f"{title}: a worker that is killed",
        [
            Figure(Row(f"until the last of {_ANSWERS} callers has its error", "s", list(errors)), bar=BAR),
            Figure(Row("until the next request has its first token", "s", list(answers))),
        ],
        notes=[f"SIGKILL while {_ANSWERS} answers are written; medians of {rounds} rounds. A restart loads the model."],
        raw={"errors_s": errors, "answers_s": answers},
    )


async def _killed(model: Path, vocab_size: int) -> tuple[float, float]:
    """Seconds from the kill to the last caller's error, and to the first token of a request that comes after it."""
    spec = LoadSpec(model, options=EngineOptions(kv_tokens=(_ANSWERS + 1) * (_TOKENS + 64)))
    params = SamplingParams(temperature=0, max_tokens=_TOKENS, ignore_eos=True, seed=1)
    requests = [Request(Prompt(random_ids(vocab_size, index, 16)), params) for index in range(_ANSWERS + 1)]
    async with AsyncEngine.start(spec) as engine:
        begun = [asyncio.Event() for _ in range(_ANSWERS)]
        callers = [asyncio.create_task(_until_error(engine, *pair)) for pair in zip(requests, begun, strict=False)]
        for event in begun:
            await event.wait()
        start = time.perf_counter()
        os.kill(engine.info.pid, signal.SIGKILL)
        failed = max(await asyncio.gather(*callers))
        async for output in engine.stream(requests[-1]):
            if output.token_ids:
                break
        return failed - start, time.perf_counter() - start


async def _until_error(engine: AsyncEngine, request: Request, begun: asyncio.Event) -> float:
    """When the error came."""
    try:
        async for output in engine.stream(request):
            if output.token_ids:
                begun.set()
    except EngineError:
        return time.perf_counter()
    raise AssertionError("the answer ended before its worker was killed")
