"""What a row gets depends on that row alone: not on its company, the threads or the instruction set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mistralet.engine import SamplingParams
from mistralet.engine.sampling import Sampled, Sampler, SamplerRow
from mistralet.native import kernels
from mistralet.ops import SCORE_BLOCK

VOCAB = 1000
CHANGES: list[dict[str, Any]] = [
    {"temperature": 0},
    {"temperature": 0, "logprobs": 5},
    {"temperature": 0.15},
    {"temperature": 1, "logprobs": 0},
    {"temperature": 2, "top_p": 0.95},
    {"temperature": 1, "top_k": 50, "logprobs": 20},
    {"temperature": 1, "top_k": 20, "top_p": 0.7},
    {"temperature": 1, "min_p": 0.02},
    {"temperature": 1, "repetition_penalty": 1.2, "frequency_penalty": 0.4, "logprobs": 2},
    {"temperature": 1, "dry_multiplier": 0.8, "logit_bias": {4: 3.0}, "min_tokens": 100, "stop_token_ids": [1]},
]


def scores_of(seed: int) -> Tensor:
    return torch.randn(VOCAB, generator=torch.Generator().manual_seed(seed)) * (0.5 + seed % 4)


def row_of(number: int) -> SamplerRow:
    params = SamplingParams(seed=number, **CHANGES[number % len(CHANGES)])
    output = [token % 7 for token in range(number % 40)]
    return SamplerRow(params, [1, 2, 3], output, breakers=frozenset({6}))


def sample(numbers: list[int], use_native: bool = True) -> list[Sampled]:
    scores = torch.stack([scores_of(number) for number in numbers])
    return Sampler(use_native)(scores, [row_of(number) for number in numbers])


@pytest.fixture(autouse=True)
def default_configuration() -> Iterator[None]:
    yield
    if kernels:
        kernels.configure(2, kernels.instruction_sets()[0])


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=24), st.booleans())
def test_a_row_is_the_same_alone_and_in_any_batch(numbers: list[int], use_native: bool) -> None:
    together = sample(numbers, use_native)
    assert together == [sample([number], use_native)[0] for number in numbers]


@pytest.mark.skipif(kernels is None, reason="the native kernels were not built")
@pytest.mark.parametrize("threads", [1, 3])
def test_every_instruction_set_and_number_of_threads_gives_the_same_bits(threads: int) -> None:
    assert kernels is not None
    results = []
    for instruction_set in kernels.instruction_sets():
        kernels.configure(threads, instruction_set)
        results.append(sample(list(range(60))))
    assert all(result == results[0] for result in results)
    kernels.configure(2, kernels.instruction_sets()[0])
    assert sample(list(range(60))) == results[0]


@pytest.mark.parametrize("use_native", [True, False])
def test_known_maxima_change_nothing(use_native: bool) -> None:
    numbers = list(range(60))
    scores = torch.stack([scores_of(number) for number in numbers])
    scores[7, 400] = torch.nan
    scores[9, 400] = torch.inf
    scores[11] = -torch.inf
    maxima = torch.stack([block.amax(-1) for block in scores.split(SCORE_BLOCK, -1)], -1)
    known = Sampler(use_native)(scores, [row_of(number) for number in numbers], maxima)
    assert known == Sampler(use_native)(scores, [row_of(number) for number in numbers])
    assert [place for place, sampled in enumerate(known) if sampled.problem] == [7, 9, 11]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6))
def test_sampling_again_gives_the_same(number: int) -> None:
    row, sampler = row_of(number), Sampler()
    assert sampler(scores_of(number)[None], [row]) == sampler(scores_of(number)[None], [row])


def test_scores_are_as_they_were_but_where_a_mask_forbids() -> None:
    scores = torch.stack([scores_of(number) for number in range(20)])
    before = scores.clone()
    Sampler()(scores, [row_of(number) for number in range(20)])
    assert scores.equal(before)
