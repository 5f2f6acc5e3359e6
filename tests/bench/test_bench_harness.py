"""One measurement of a program, by a clock that only the program moves."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator

import pytest

from bench import harness
from bench.harness import Job, Result, main, measure, peak_memory

JOB = Job(
    model="m.gguf",
    threads=2,
    started=100.0,
    first=[1] * 16,
    warm_up=[2] * 16,
    prompts=[[3] * 64, [4] * 512],
    contexts=[[5] * 16],
    decode_tokens=8,
)


class FakeProgram:
    """Reads a token in 10 ms and draws one in 250 ms."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 107.0  # seconds
        self.streams: list[tuple[int, int, int]] = []  # first id, ids, tokens
        monkeypatch.setattr(harness.time, "time", lambda: self.now)
        monkeypatch.setattr(harness.time, "perf_counter", lambda: self.now)

    def __call__(self, ids: list[int], tokens: int) -> Iterator[int]:
        self.streams.append((ids[0], len(ids), tokens))
        self.now += 0.01 * len(ids)
        for index in range(tokens):
            self.now += 0.25 if index else 0
            yield 40 + index


def test_speeds_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    result = measure(JOB, FakeProgram(monkeypatch))
    assert result.first_token == 40
    assert result.first_token_seconds == pytest.approx(7.16)
    assert result.prefill == pytest.approx([100, 100])
    assert result.decode == pytest.approx([4])


def test_everything_is_read_once_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    program = FakeProgram(monkeypatch)
    measure(JOB, program)
    assert program.streams == [(1, 16, 1), (2, 16, 4), (3, 64, 1), (4, 512, 1), (5, 16, 9)]


def test_a_mere_start_does_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    program = FakeProgram(monkeypatch)
    result = measure(Job("m.gguf", 2, 100.0, [1], [2], [], [], 8), program)
    assert program.streams == [(1, 1, 1)]
    assert (result.prefill, result.decode) == ([], [])


def test_the_room_is_that_of_the_longest_measurement() -> None:
    assert JOB.room == 512 + 8 + 1


def test_peak_memory_is_in_bytes() -> None:
    assert 5e6 < peak_memory() < 1e12


def test_a_job_comes_and_its_result_goes_as_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = FakeProgram(monkeypatch)
    monkeypatch.setattr(sys, "argv", ["runner"])
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(vars(JOB)) + "\n"))
    jobs = []
    main(dict, lambda job: jobs.append(job) or program)  # type: ignore[func-returns-value]
    assert jobs == [JOB]
    assert Result(**json.loads(capsys.readouterr().out)).decode == pytest.approx([4])


def test_a_program_says_what_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["runner", "describe"])
    main(lambda: {"version": "1"}, pytest.fail)
    assert json.loads(capsys.readouterr().out) == {"version": "1"}
