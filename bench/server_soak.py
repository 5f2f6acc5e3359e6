"""Many callers for many minutes: what fails, and what the server keeps."""

from __future__ import annotations

import asyncio
import random
import re
import time
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass

import psutil

from bench.bars import Chapter, Figure
from bench.report import Row
from bench.server_load import ask

CLIENTS = 64
_CANCELLED = 0.2  # of the callers go away in the middle
_WARM_UP = 20.0  # seconds before the first look: caches fill up
_SETTLE = 3.0


@dataclass(frozen=True)
class Look:
    """What a server has in hand."""

    server_bytes: int  # resident
    engine_bytes: int
    files: int  # open ones, and connections
    threads: int
    running: float
    kv_use: float


def look(url: str, pid: int) -> Look:
    """Look at a server and its engine's process."""
    server = psutil.Process(pid)
    engine = max(server.children(), key=lambda child: child.memory_info().rss)
    text = urllib.request.urlopen(f"{url}/metrics").read().decode()

    def figure(name: str) -> float:
        found = re.search(rf"^mistralet_{name} (\S+)$", text, re.MULTILINE)
        assert found, name
        return float(found.group(1))

    return Look(
        server.memory_info().rss,
        engine.memory_info().rss,
        server.num_fds(),
        server.num_threads(),
        figure("answers_running") + figure("answers_waiting"),
        figure("kv_cache_usage_ratio"),
    )


async def soak(url: str, pid: int, minutes: float, per_second: float) -> Chapter:
    """Callers come at random moments, whether or not the server keeps up, with prompts and answers of many lengths.

    Args:
        per_second: callers that come, on average; one that finds 64 others at work goes away again.
    """
    statuses: Counter[str] = Counter()
    chance = random.Random(1)
    at_work: set[asyncio.Task[None]] = set()

    async def call(number: int) -> None:
        leave = chance.randint(1, 20) if chance.random() < _CANCELLED else None
        words = " ".join(
            chance.choices(("the", "sea", "a", "boat", "of", "light", "and", "time"), k=chance.randint(5, 300))
        )
        body = {"prompt": f"{number} {words}", "max_tokens": chance.randint(5, 150), "temperature": 0.8, "stream": True}
        try:
            status = str(await ask(url, body, leave_after=leave))
        except (OSError, ValueError, IndexError) as error:
            status = type(error).__name__
        statuses[status if leave is None else f"{status}, left"] += 1

    async def load(seconds: float) -> None:
        until, number = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            await asyncio.sleep(chance.expovariate(per_second))
            number += 1
            if len(at_work) >= CLIENTS:
                statuses["not sent"] += 1
                continue
            task = asyncio.create_task(call(number))
            at_work.add(task)
            task.add_done_callback(at_work.discard)
        await asyncio.gather(*at_work)
        await asyncio.sleep(_SETTLE)

    await load(_WARM_UP)
    statuses.clear()
    before = look(url, pid)
    await load(60 * minutes)
    after = look(url, pid)
    bad = sum(count for status, count in statuses.items() if status[:3] not in ("200", "429", "not"))
    return Chapter(
        f"Soak of {minutes:g} minutes",
        [
            Figure(Row("callers answered", "", [statuses["200"] + statuses["200, left"]])),
            Figure(Row("errors that are no 429", "", [bad]), bar=0),
            Figure(Row("answers still at work at the end", "", [after.running]), bar=0),
            Figure(Row("cache still in use at the end", "%", [100 * after.kv_use]), bar=0),
            Figure(Row("server's memory grew by", "MB", [(after.server_bytes - before.server_bytes) / 1e6])),
            Figure(Row("engine's memory grew by", "MB", [(after.engine_bytes - before.engine_bytes) / 1e6])),
            Figure(Row("open files more", "", [after.files - before.files]), bar=0),
            # Pools make their threads when they first need them.
            Figure(Row("threads more", "", [after.threads - before.threads])),
        ],
        notes=[
            f"Callers come at random, {per_second:g} a second on average, at most {CLIENTS} at once; "
            f"{100 * _CANCELLED:.0f} % go away in the middle. {dict(statuses)}. Before it {_WARM_UP:.0f} s of it.",
        ],
        raw={"before": asdict(before), "after": asdict(after), "statuses": dict(statuses)},
    )
