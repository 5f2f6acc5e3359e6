"""Sums of weights that are the same in any order of additions."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.engine.sampling.sums import running_sums, total

weight = st.floats(0, 1) | st.sampled_from([0.0, 4.2483543e-18, 1.0])


@settings(deadline=None)
@given(st.lists(weight, min_size=1, max_size=50))
def test_sums_are_right_to_the_last_bits_and_grow_only_by_weights(weights: list[float]) -> None:
    sums = running_sums(torch.tensor(weights, dtype=torch.float64)).tolist()
    for place, sum_upto in enumerate(sums):
        assert math.isclose(sum_upto, math.fsum(weights[: place + 1]), rel_tol=1e-15, abs_tol=1e-24)
    steps = zip([0.0, *sums], sums, weights, strict=False)
    assert all(after >= before and (after == before or weight > 0) for before, after, weight in steps)


def test_neither_order_nor_company_shows_in_a_sum() -> None:
    weights = torch.rand(3, 5000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) ** 20
    sums = running_sums(weights)[:, -1:]
    assert total(weights).equal(sums)
    assert total(weights[:, torch.randperm(5000)]).equal(sums)
    assert total(weights[1]).equal(sums[1])


def test_the_largest_vocabulary_fits() -> None:
    assert running_sums(torch.ones(1 << 19, dtype=torch.float64))[-1] == 1 << 19
