"""A server under load to which bad things happen: what callers see, and how it goes on (`make chaos`)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest

from support.served import SECONDS, Served, serving, settled

_CLIENTS = 24
_BODY = {
    "prompt": "Once upon a time",
    "max_tokens": 120,
    "ignore_eos": True,
    "temperature": 1,
    "repetition_policy": "off",
    "stream": True,
}


class Clients:
    """Callers who stream one answer after the other until they are told to stop; each fourth goes away halfway."""

    def __init__(self, served: Served, count: int = _CLIENTS) -> None:
        self._url = served.url
        self._over = threading.Event()
        self.outcomes: Counter[str] = Counter()
        self.running = 0
        self.last_token = time.perf_counter()
        self._pool = ThreadPoolExecutor(count)
        self._calls: list[Future[None]] = [self._pool.submit(self._work, number) for number in range(count)]

    def stop(self) -> Counter[str]:
        """What became of all their requests, once these have ended."""
        self._over.set()
        for call in self._calls:
            call.result(SECONDS)
        self._pool.shutdown()
        return self.outcomes

    def _work(self, number: int) -> None:
        while not self._over.is_set():
            self.outcomes[self._ask(leaves=number % 4 == 0)] += 1

    def _ask(self, leaves: bool) -> str:
        """ "done", "left", "error": as the API tells one; "refused": at once, with a status; "gone": nobody listens.

        "cut": the answer just stops, which must not be.
        """
        seen = 0
        self.running += 1
        try:
            with httpx2.stream("POST", f"{self._url}/v1/completions", json=_BODY, timeout=SECONDS) as answer:
                if answer.status_code != 200:
                    time.sleep(0.05)
                    return "refused" if json.loads(answer.read())["error"]["message"] else "cut"
                for line in answer.iter_lines():
                    if line.startswith("data: {"):
                        self.last_token = time.perf_counter()
                        if "error" in (told := json.loads(line[6:])):
                            return "error" if told["error"]["type"] and told["error"]["message"] else "cut"
                        seen += 1
                    if line == "data: [DONE]":
                        return "done"
                    if leaves and seen > 20:
                        return "left"
            return "cut"
        except httpx2.ConnectError:
            time.sleep(0.05)
            return "gone"
        except (httpx2.ReadError, httpx2.RemoteProtocolError):
            return "cut" if seen else "gone"  # a connection that was kept is closed by a server that ends
        finally:
            self.running -= 1


def answers(served: Served) -> bool:
    """Whether it is ready and answers."""
    if httpx2.get(f"{served.url}/ready").status_code != 200:
        return False
    body = _BODY | {"stream": False, "max_tokens": 4}
    return httpx2.post(f"{served.url}/v1/completions", json=body, timeout=SECONDS).status_code == 200


def is_idle(served: Served) -> bool:
    figures = served.figures()
    return figures["mistralet_answers_running"] == 0 and figures["mistralet_kv_cache_usage_ratio"] == 0


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    """A disk of its own, which is easily full."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_its_worker_is_killed_again_and_again(tiny_path: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "log", tiny_path, "--kv-tokens", 16384) as served:
        clients = Clients(served)
        for _ in range(3):
            before = clients.outcomes["done"]
            settled(lambda before=before: clients.outcomes["done"] > before and clients.running > _CLIENTS // 2)
            killed = time.perf_counter()
            served.worker.kill()
            settled(lambda killed=killed: clients.last_token > killed + 0.5)
            print(f"first token {clients.last_token - killed:.1f} s after the kill")
            settled(lambda: answers(served))
        outcomes = clients.stop()
        print(dict(outcomes))
        assert outcomes["cut"] == outcomes["gone"] == 0
        assert outcomes["error"] > 0
        assert outcomes["done"] > 0
        settled(lambda: is_idle(served))


def test_it_is_told_to_end(tiny_path: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "log", tiny_path, "--grace-seconds", 1) as served:
        clients = Clients(served)
        settled(lambda: clients.outcomes["done"] > 3 and clients.running > _CLIENTS // 2)
        children = psutil.Process(served.process.pid).children(recursive=True)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(SECONDS) == 0
        outcomes = clients.stop()
        print(dict(outcomes))
        assert outcomes["cut"] == 0
        settled(lambda: not any(child.is_running() for child in children))


def test_a_second_signal_ends_it_at_once(tiny_path: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "log", tiny_path, "--grace-seconds", 300) as served:
        clients = Clients(served)
        settled(lambda: clients.outcomes["done"] > 3)
        served.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(SECONDS) == 0
        assert clients.stop()["cut"] == 0


def test_the_disk_of_its_log_is_full(tiny_path: Path, tmp_path: Path) -> None:
    with tmpfs(tmp_path / "disk", "256k") as disk, serving(disk / "log", tiny_path) as served:
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1 << 20))
        clients = Clients(served, 8)
        settled(lambda: clients.outcomes["done"] > 20)
        outcomes = clients.stop()
        assert set(outcomes) <= {"done", "left"}
        filler.unlink()
        before = served.log.read_text().count('"status": 200')
        settled(lambda: answers(served) and served.log.read_text().count('"status": 200') > before)


@pytest.mark.parametrize("trouble", ["full", "a file"])
def test_long_prompts_cannot_be_kept(
    trouble: str, tiny_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tmpfs(tmp_path / "disk", "8m") as disk:
        monkeypatch.setenv("XDG_CACHE_HOME", str(disk))
        kept = disk / "mistralet" / "kv"
        kept.parent.mkdir()
        if trouble == "a file":
            kept.write_text("not a folder")
        with serving(tmp_path / "log", tiny_path, "--library-bytes", 1 << 30) as served:
            for number in range(3):
                body = {"prompt": f"{number} " + "word " * 900, "max_tokens": 4}
                assert httpx2.post(f"{served.url}/v1/completions", json=body, timeout=SECONDS).status_code == 200
            settled(lambda: is_idle(served))
            assert answers(served)
        left = [path for path in disk.rglob("*") if path.is_file() and path != kept]
        assert [path for path in left if path.name.startswith(".mistralet-")] == []


def test_its_clock_jumps(tiny_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a day forwards, or back, at each look at it."""
    (tmp_path / "sitecustomize.py").write_text(
        "import itertools, time\n"
        "real, jumps = time.time, itertools.cycle((0, 43200, -43200))\n"
        "time.time = lambda: real() + next(jumps)\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    with serving(tmp_path / "log", tiny_path, "--requests-per-minute", 100_000) as served:
        clients = Clients(served, 8)
        settled(lambda: clients.outcomes["done"] > 20)
        outcomes = clients.stop()
        assert set(outcomes) <= {"done", "left"}
        settled(lambda: is_idle(served))
        figures = served.figures()
        waits = [value for name, value in figures.items() if name.endswith("_seconds_sum")]
        assert waits
        assert all(0 <= value < 3600 for value in waits)
        seconds = [line["seconds"] for line in served.lines() if "seconds" in line]
        assert all(0 <= value < SECONDS for value in seconds)
