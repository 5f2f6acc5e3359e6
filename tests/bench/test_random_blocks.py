"""Random weights: valid, finite, of the deviation they should have."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.random_blocks import DEVIATION, MAKERS, Pool
from mistralet.quant import FORMATS, QuantizedTensor

BLOCKS = 4096


def weights(name: str) -> torch.Tensor:
    """Random blocks of a type, as mistralet understands them."""
    blocks = torch.from_numpy(MAKERS[name](BLOCKS))
    return QuantizedTensor(FORMATS[name], blocks.view(1, -1), BLOCKS * FORMATS[name].block_size).dequantize()


@pytest.mark.parametrize("name", ["Q4_K", "Q6_K"])
def test_weights_are_finite_centred_and_of_the_expected_deviation(name: str) -> None:
    values = weights(name)
    assert torch.isfinite(values).all()
    assert values.std().item() == pytest.approx(DEVIATION, rel=0.02)
    assert abs(values.mean().item()) < 0.01 * DEVIATION


@pytest.mark.parametrize("name", ["Q4_K", "Q6_K"])
def test_no_group_is_without_weight(name: str) -> None:
    assert (weights(name).view(-1, 256).std(dim=1) > 0.2 * DEVIATION).all()


@pytest.mark.parametrize("name", ["Q4_K", "Q6_K", "F32"])
def test_blocks_are_the_same_every_time(name: str) -> None:
    assert np.array_equal(MAKERS[name](8), MAKERS[name](8))


def test_norms_are_ones() -> None:
    assert MAKERS["F32"](3).view(np.float32).ravel().tolist() == [1.0, 1.0, 1.0]


def test_a_pool_is_cut_anywhere_and_goes_round() -> None:
    pool = Pool("Q4_K", blocks=7)
    once, twice = pool.cut(7 * 144, seed=1), pool.cut(17 * 144, seed=1)
    assert np.array_equal(twice, np.tile(once, 3)[: 17 * 144])
    assert not np.array_equal(once, pool.cut(7 * 144, seed=2))
    assert np.array_equal(once, pool.cut(7 * 144, seed=1))
