"""A device's limits are measured, and what does not fit on it is a sentence."""

from __future__ import annotations

import pytest
import torch

from bench import gpu_card
from bench.gpu_card import Card

CPU = torch.device("cpu")
CARD = Card(CPU, 2e9, 3e12)


def test_limits_are_measured() -> None:
    assert gpu_card.copy_bandwidth(CPU, 1 << 20) > 1e6
    assert gpu_card.matrix_rate(CPU) > 1e6
    assert CARD.facts()["limits"].startswith("copying 2 GB/s, bfloat16 matrices 3.0 TFLOP/s")


def test_what_takes_more_than_there_is_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_card, "room", lambda _device: 10_000)
    assert CARD.if_it_fits("a cache", 10_000, lambda: 7) == 7
    assert CARD.if_it_fits("a cache", 20_000, lambda: pytest.fail("begun")) == (
        "a cache: left out; it takes 20.00 kB, and there is room for 10.00 kB."
    )


def test_memory_that_runs_out_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_card, "room", lambda _device: 10_000)

    def greedy() -> int:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    assert "the memory ran out on the way" in str(CARD.if_it_fits("a prompt", 1, greedy))


def test_a_gpu_is_asked_after_its_unused_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(True))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (len(given_back) * (5 << 30), 8 << 30))
    assert gpu_card.room(torch.device("cuda")) == 3 << 30


def test_the_warm_up_is_not_counted() -> None:
    done: list[str] = []
    assert len(gpu_card.seconds(lambda: done.append("work"), CPU, 2)) == 2
    assert len(gpu_card.seconds(lambda: done.append("work"), CPU, 1, lambda: done.append("warm-up"))) == 1
    assert done == ["work"] * 3 + ["warm-up", "work"]
