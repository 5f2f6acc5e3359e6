"""Which token is drawn, and which parameters are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mistralet.engine import SamplingParams
from mistralet.engine.sampling import Sampler
from mistralet.errors import UsageError

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0, 3.0 - 1e-3])


def draw(count: int, temperature: float, seed: int = 0) -> list[int]:
    sampler = Sampler(SamplingParams(temperature=temperature, seed=seed))
    return [sampler(LOGITS) for _ in range(count)]


def test_without_temperature_the_likeliest_token_is_taken() -> None:
    assert draw(20, temperature=0) == [1] * 20


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_tokens_come_as_often_as_the_softmax_says(temperature: float) -> None:
    counts = torch.bincount(torch.tensor(draw(4000, temperature)), minlength=5) / 4000
    assert (counts - torch.softmax(LOGITS / temperature, dim=-1)).abs().max() < 0.03


@pytest.mark.parametrize("temperature", [1e-300, 1e-45, 1e-38, 1e-20, 1e-4])
def test_a_temperature_close_to_none_takes_the_likeliest_token(temperature: float) -> None:
    assert draw(20, temperature) == [1] * 20


def test_the_highest_temperature_makes_all_tokens_about_as_likely() -> None:
    assert set(draw(200, temperature=100)) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("seed", [0, 1, (1 << 63) - 1])
def test_the_same_seed_draws_the_same_tokens(seed: int) -> None:
    assert draw(50, 1.0, seed) == draw(50, 1.0, seed)


def test_without_a_seed_each_has_its_own() -> None:
    assert len({SamplingParams().seed for _ in range(8)}) == 8


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": -0.1},
        {"temperature": 101},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"max_tokens": 0},
        {"max_tokens": -1},
        {"seed": -1},
        {"seed": 1 << 63},
    ],
)
def test_a_value_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r" is .*, but must "):
        SamplingParams(**changes)
