"""An engine in another process: the same answers, and nobody is left waiting whatever happens to it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from mistralet.engine import (
    AsyncEngine,
    Completion,
    Engine,
    EngineOptions,
    LoadSpec,
    Request,
    SamplingParams,
    worker_process,
)
from mistralet.engine import async_engine as module
from mistralet.engine.events import Event
from mistralet.errors import CheckpointError, EngineError, MistraletError, PromptError, UsageError
from mistralet.model import Prompt, PromptImage
from support.engines import CONTEXT, FAILS, KILLS, RandomEngine, dies_while_it_loads

GREEDY = SamplingParams(temperature=0, max_tokens=8, seed=0)
ENDLESS = replace(GREEDY, max_tokens=CONTEXT - 100, ignore_eos=True)
SECONDS = 60  # after which a test that hangs fails

Run = Callable[[Callable[[AsyncEngine], Coroutine[Any, Any, None]]], None]


def prompt(length: int = 5, seed: int = 0, second: int = 30) -> Prompt:
    ids = torch.randint(30, 128, (length,), generator=torch.Generator().manual_seed(seed))
    return Prompt([1, second, *ids.tolist()])


def with_image() -> Prompt:
    pixels = torch.randn(3, 56, 84, generator=torch.Generator().manual_seed(5))
    ids = ([10] * 3 + [12]) * 2
    return Prompt([1, 40, *ids[:-1], 13, 50], [PromptImage(pixels, digest="5", start=2, columns=3, rows=2)])


@pytest.fixture(scope="module")
def reference() -> Iterator[Engine]:
    """The same engine in this process."""
    with closing(RandomEngine()()) as engine:
        yield engine


@pytest.fixture(scope="module")
def events() -> list[Event]:
    """What the shared engine has told in this test."""
    return []


@pytest.fixture(scope="module")
def shared(events: list[Event]) -> Iterator[tuple[asyncio.Runner, AsyncEngine]]:
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setattr(module, "_RESTARTS", 1000)
        starting = AsyncEngine.start(RandomEngine(), listener=events.append)
        engine = runner.run(starting.__aenter__())
        yield runner, engine
        runner.run(starting.__aexit__(None, None, None))
        assert not psutil.pid_exists(engine.info.pid)


@pytest.fixture
def run(shared: tuple[asyncio.Runner, AsyncEngine], events: list[Event]) -> Run:
    """Runs a test with the shared engine, and sees that it leaves nothing behind."""
    runner, engine = shared
    events.clear()

    def run(test: Callable[[AsyncEngine], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            async with asyncio.timeout(SECONDS):
                await test(engine)
                assert engine.unfinished == 0

        runner.run(whole())

    return run


@asynccontextmanager
async def begun(engine: AsyncEngine, request: Request) -> AsyncIterator[asyncio.Task[list[Completion]]]:
    """A request that has its first token, and whose answers are waited for elsewhere."""
    first = asyncio.Event()

    async def collect() -> list[Completion]:
        parts = []
        async for output in engine.stream(request):
            parts.append(output)
            first.set()
        return [Completion.of(parts)]

    task = asyncio.create_task(collect())
    await first.wait()
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def settled(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def problem_of(awaitable: Awaitable[object]) -> str:
    with pytest.raises(EngineError) as raised:
        await awaitable
    return str(raised.value)


def tokens_of(completions: list[Completion]) -> list[list[int]]:
    return [completion.token_ids for completion in completions]


def test_many_at_once_get_the_tokens_of_the_synchronous_engine(run: Run, reference: Engine) -> None:
    requests = [Request(prompt(3 + seed, seed), replace(GREEDY, temperature=seed % 2, seed=seed)) for seed in range(32)]
    requests += [Request(with_image(), GREEDY), Request(prompt(), replace(GREEDY, temperature=2, n=3, logprobs=2))]

    async def test(engine: AsyncEngine) -> None:
        answers = await asyncio.gather(*(engine.generate(request) for request in requests))
        expected = reference.generate(requests)
        assert [tokens for answer in answers for tokens in tokens_of(answer)] == tokens_of(expected)
        assert [a.logprobs for a in answers[-1]] == [a.logprobs for a in expected[-3:]]
        assert [a.finish_reason for answer in answers for a in answer] == ["length"] * len(expected)

    run(test)


def test_a_stream_gives_what_each_step_adds(run: Run, reference: Engine) -> None:
    async def test(engine: AsyncEngine) -> None:
        outputs = [output async for output in engine.stream(Request(prompt(), GREEDY))]
        (expected,) = reference.generate([Request(prompt(), GREEDY)])
        assert [output.stats.output_tokens for output in outputs] == list(range(1, 9))
        assert (Completion.of(outputs).token_ids, Completion.of(outputs).text) == (expected.token_ids, expected.text)

    run(test)


def test_a_slow_reader_holds_nobody(run: Run) -> None:
    async def test(engine: AsyncEngine) -> None:
        async with aclosing(await engine.submit(Request(prompt(), replace(GREEDY, max_tokens=300)))) as slow:
            await engine.generate(Request(prompt(seed=1), replace(GREEDY, max_tokens=600)))
            assert engine.unfinished == 0
            assert sum([len(output.token_ids) async for output in slow]) == 300

    run(test)


@pytest.mark.parametrize("way", ["aclose", "break", "task", "unread"])
def test_a_request_that_is_left_ends_in_the_engine(way: str, run: Run, events: list[Event]) -> None:
    request = Request(prompt(), ENDLESS)

    async def test(engine: AsyncEngine) -> None:
        if way == "aclose":
            outputs = await engine.submit(request)
            await anext(outputs)
            await outputs.aclose()
        elif way == "break":
            async for _ in engine.stream(request):
                break
        elif way == "task":
            async with begun(engine, request) as task:
                task.cancel()
        else:
            await (await engine.submit(request)).aclose()
        await settled(lambda: engine.unfinished == 0)

    run(test)
    assert [e.facts["reason"] for e in events if e.kind == "finished"] == ["cancelled"]


def test_a_cancelled_request_says_so(run: Run) -> None:
    async def test(engine: AsyncEngine) -> None:
        async with begun(engine, Request(prompt(), ENDLESS, id="a")) as task:
            assert await engine.cancel("a")
            (answer,) = await task
            assert answer.finish_reason == "cancelled"
            assert len(answer.token_ids) == answer.stats.output_tokens > 0
        assert not await engine.cancel("a")

    run(test)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (Request(Prompt([])), PromptError, "is empty"),
        (Request(prompt(CONTEXT)), PromptError, f"the model reads at most {CONTEXT - 1}"),
        (Request(Prompt([1, 2], [lambda: None])), EngineError, "cannot be sent"),  # type: ignore[list-item]
    ],
)
def test_what_cannot_run_is_refused(bad: Request, error: type[MistraletError], message: str, run: Run) -> None:
    async def test(engine: AsyncEngine) -> None:
        for refused in (engine.submit(bad), engine.generate(bad), anext(engine.stream(bad))):
            with pytest.raises(error, match=message):
                await refused

    run(test)


def test_a_constraint_that_makes_the_compiler_fail_ends_its_request_only(run: Run) -> None:
    async def test(engine: AsyncEngine) -> None:
        bad = Request(prompt(), GREEDY, constraint=3)  # type: ignore[arg-type]
        async with begun(engine, Request(prompt(), replace(GREEDY, max_tokens=100))) as task:
            (failed,) = await engine.generate(bad)
            assert failed.finish_reason == "error"
            assert "AttributeError" in str(failed.error)
            assert len((await task)[0].token_ids) == 100

    run(test)


def test_two_requests_of_one_name_are_refused_while_the_first_runs(run: Run) -> None:
    async def test(engine: AsyncEngine) -> None:
        twin = Request(prompt(), ENDLESS, id="twin")
        async with begun(engine, twin):
            with pytest.raises(UsageError, match="'twin' runs already"):
                await engine.submit(twin)
        await settled(lambda: engine.unfinished == 0)
        await engine.generate(replace(twin, params=GREEDY))

    run(test)


def test_a_lower_priority_number_runs_first(run: Run, events: list[Event]) -> None:
    async def test(engine: AsyncEngine) -> None:
        first = Request(prompt(), replace(ENDLESS, n=2))
        async with begun(engine, first):
            others = [Request(prompt(), GREEDY, priority=priority, id=str(priority)) for priority in (5, 0, -1, 2)]
            streams = [await engine.submit(other) for other in others]
            await engine.cancel(first.id)
            for stream in streams:
                assert [output async for output in stream][-1].finish_reason == "length"

    run(test)
    assert [e.request_id for e in events if e.kind == "scheduled"][2:] == ["-1", "0", "2", "5"]


def test_events_and_facts_reach_the_parent(run: Run, events: list[Event]) -> None:
    async def test(engine: AsyncEngine) -> None:
        await engine.generate(Request(prompt(), GREEDY, id="a"))
        assert engine.state == "ready"
        assert (engine.info.context, engine.info.kv_tokens) == (CONTEXT, 2 * CONTEXT)
        assert engine.info.config == RandomEngine()().model.config

    run(test)
    assert [e.kind for e in events if e.request_id == "a"] == ["queued", "scheduled", "first_token", "finished"]
    assert sum(e.kind == "step" for e in events) == 8


def test_interrupts_are_left_to_the_parent(run: Run) -> None:
    async def test(engine: AsyncEngine) -> None:
        async with begun(engine, Request(prompt(), replace(GREEDY, max_tokens=100))) as task:
            os.kill(engine.info.pid, signal.SIGINT)
            assert len((await task)[0].token_ids) == 100
        assert engine.restarts == 0

    run(test)


def test_a_killed_worker_fails_what_it_had_begun_and_another_runs_the_rest(run: Run, reference: Engine) -> None:
    waiting = [Request(prompt(seed=seed), GREEDY, id=str(seed)) for seed in range(4)]

    async def test(engine: AsyncEngine) -> None:
        killed, restarts = engine.info.pid, engine.restarts
        async with begun(engine, Request(prompt(), replace(ENDLESS, n=2))) as task:
            streams = [await engine.submit(request) for request in waiting]
            await streams.pop().aclose()
            os.kill(killed, signal.SIGKILL)
            assert "was killed (is the machine short of memory?) while it wrote this answer" in await problem_of(task)
        assert engine.state == "loading"
        late = asyncio.create_task(engine.generate(Request(prompt(seed=9), GREEDY)))
        assert await engine.cancel("2")  # one that waits for the restart
        answers = [Completion.of([output async for output in stream]) for stream in streams]
        assert [answer.finish_reason for answer in answers] == ["length", "length", "cancelled"]
        expected = reference.generate([*waiting[:2], Request(prompt(seed=9), GREEDY)])
        assert tokens_of(answers[:2] + await late) == tokens_of(expected)
        assert (engine.state, engine.restarts) == ("ready", restarts + 1)
        assert engine.info.pid != killed
        assert not psutil.pid_exists(killed)

    run(test)


def test_a_request_that_kills_the_worker_is_not_tried_again(run: Run) -> None:
    async def test(engine: AsyncEngine) -> None:
        restarts = engine.restarts
        assert "was killed" in await problem_of(engine.generate(Request(prompt(second=KILLS), GREEDY)))
        assert len((await engine.generate(Request(prompt(), GREEDY)))[0].token_ids) == 8
        assert engine.restarts == restarts + 1

    run(test)


def test_a_failed_step_ends_what_was_begun_and_the_worker_goes_on(run: Run, reference: Engine) -> None:
    async def test(engine: AsyncEngine) -> None:
        restarts = engine.restarts
        async with begun(engine, Request(prompt(), ENDLESS)) as first:
            # One of its answers ends in the very step that fails, the other has not begun, like the request after it.
            failing = await engine.submit(Request(prompt(second=FAILS), replace(GREEDY, max_tokens=1, n=2)))
            waiting = asyncio.create_task(engine.generate(Request(prompt(), GREEDY)))
            for failed in (first, anext(failing)):
                assert "RuntimeError('it was asked to'); ask again" in await problem_of(failed)
            assert tokens_of(await waiting) == tokens_of(reference.generate([Request(prompt(), GREEDY)]))
        assert engine.restarts == restarts

    run(test)


def test_a_worker_whose_steps_keep_failing_is_replaced(run: Run) -> None:
    async def test(engine: AsyncEngine) -> None:
        restarts = engine.restarts
        failing = [engine.generate(Request(prompt(second=FAILS), replace(GREEDY, n=2))) for _ in range(2)]
        errors = await asyncio.gather(*failing, return_exceptions=True)
        assert "RuntimeError" in str(errors[0])
        assert "ended with exit code 1 while it wrote this answer" in str(errors[1])
        await engine.generate(Request(prompt(), GREEDY))
        assert engine.restarts == restarts + 1

    run(test)


def test_restarts_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RESTARTS", 0)

    async def test() -> None:
        async with asyncio.timeout(SECONDS), AsyncEngine.start(RandomEngine()) as engine:
            async with begun(engine, Request(prompt(), replace(ENDLESS, n=2))) as task:
                waiting = asyncio.create_task(engine.generate(Request(prompt())))
                await settled(lambda: engine.unfinished == 2)
                os.kill(engine.info.pid, signal.SIGKILL)
                assert "while it wrote this answer" in await problem_of(task)
                assert "is not started again" in await problem_of(waiting)
            assert engine.state == "failed"
            assert "is not started again" in await problem_of(engine.generate(Request(prompt())))

    asyncio.run(test())


def test_a_closed_engine_lets_nobody_wait_and_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    loading: list[tuple[int, int]] = []

    async def test() -> int:
        async with asyncio.timeout(SECONDS):
            async with AsyncEngine.start(RandomEngine(), lambda *progress: loading.append(progress)) as engine:
                async with begun(engine, Request(prompt(), ENDLESS)) as task:
                    monkeypatch.setattr(worker_process, "_PATIENCE", 0.1)
                    os.kill(engine.info.pid, signal.SIGSTOP)  # so that only force ends it
                    await engine.close()
                    assert "was closed" in await problem_of(task)
                await engine.close()
                assert engine.state == "closed"
                assert "was closed" in await problem_of(engine.submit(Request(prompt())))
            return engine.info.pid

    assert not psutil.pid_exists(asyncio.run(test()))
    assert loading == [(1, 2), (2, 2)]


def test_what_keeps_a_model_from_being_loaded_is_told() -> None:
    async def test() -> None:
        children = set(psutil.Process().children())
        async with asyncio.timeout(SECONDS):
            with pytest.raises(CheckpointError, match="nowhere"):
                async with AsyncEngine.start(LoadSpec(Path("/nowhere"))):
                    pass
            with pytest.raises(EngineError, match="ended with exit code 3 before it had loaded the model"):
                async with AsyncEngine.start(dies_while_it_loads):
                    pass
        assert set(psutil.Process().children()) == children

    asyncio.run(test())


def test_the_stand_in_is_loaded_with_all_that_helps_it(
    tiny_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    spec = LoadSpec(tiny_path, options=EngineOptions(kv_tokens=512), draft=tiny_path, library_bytes=1 << 30)
    request = Request(Prompt([504, 2015, 282] * 43), GREEDY, keep_as="a document")

    async def test() -> list[Completion]:
        async with asyncio.timeout(SECONDS), AsyncEngine.start(spec) as engine:
            return await engine.generate(request)

    answers = asyncio.run(test())
    assert answers[0].stats.accepted_tokens > 0
    assert tokens_of(answers) == tokens_of(LoadSpec(tiny_path, options=spec.options)().generate([request]))
    assert any((tmp_path / "mistralet" / "kv").iterdir())


_PARENT = """
import asyncio
from mistralet.engine import AsyncEngine
from support.engines import RandomEngine

async def main():
    async with AsyncEngine.start(RandomEngine(), lambda done, total: print(done, flush=True)):
        await asyncio.sleep(1000)

if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.parametrize("way", ["killed", "interrupted", "interrupted while the worker starts"])
def test_a_worker_does_not_outlive_its_parent(way: str, tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        if way != "interrupted while the worker starts":
            parent.stdout.readline()
        while not (workers := [c for c in psutil.Process(parent.pid).children() if "spawn_main" in str(c.cmdline())]):
            time.sleep(0.01)
        if way == "killed":
            parent.kill()
        else:
            os.killpg(parent.pid, signal.SIGINT)  # as Ctrl-C does
        _, alive = psutil.wait_procs(workers, timeout=SECONDS)
        errors = parent.communicate()[1].decode()
    assert alive == []
    assert errors == ""
