"""Matrices are laid side by side without a change, and found to lie so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mistralet import ops
from mistralet.config import Rounding
from mistralet.ops.together import lay_together, together
from mistralet.quant import ScaledTensor, round_weight

GENERATOR = torch.Generator().manual_seed(0)


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same numbers in whatever order tests run."""
    GENERATOR.manual_seed(0)


def matrices(*rows: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    return [torch.randn(count, 64, generator=GENERATOR).to(dtype) for count in rows]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float8_e4m3fn])
def test_dense_matrices(dtype: torch.dtype) -> None:
    apart = matrices(3, 1, 5, dtype=dtype)
    assert together(apart) is None
    laid = lay_together(apart)
    for before, after in zip(apart, laid, strict=True):
        assert isinstance(after, Tensor)
        assert torch.equal(before.float(), after.float())
    whole = together(laid)
    assert isinstance(whole, Tensor)
    assert torch.equal(whole.float(), torch.cat([matrix.float() for matrix in apart]))


@pytest.mark.parametrize("rounding", Rounding)
def test_scaled_matrices(rounding: Rounding) -> None:
    apart = [round_weight(matrix, rounding) for matrix in matrices(3, 1, 5, dtype=torch.float32)]
    assert together(apart) is None
    laid = lay_together(apart)
    whole = together(laid)
    assert isinstance(whole, ScaledTensor)
    assert whole.encoding is apart[0].encoding
    assert torch.equal(whole.dequantize(), torch.cat([matrix.dequantize() for matrix in apart]))
    for before, after in zip(apart, laid, strict=True):
        assert isinstance(after, ScaledTensor)
        assert torch.equal(before.dequantize(), after.dequantize())


def test_other_orders_and_parts_are_no_whole() -> None:
    first, second, third = lay_together(matrices(2, 2, 2))
    assert together([first, second]) is not None
    assert together([second, third]) is not None
    assert together([first, third]) is None
    assert together([second, first]) is None


def test_what_differs_stays_apart() -> None:
    one, other = matrices(2, 2)
    mixed = [one, other.float()]
    assert lay_together(mixed) == mixed
    int4, fp8 = (round_weight(one.float(), rounding) for rounding in Rounding)
    assert lay_together([int4, fp8]) == [int4, fp8]
    assert together([int4, fp8]) is None
    assert together([one, int4]) is None
    order = torch.arange(64)
    ordered = ScaledTensor(int4.encoding, int4.codes, int4.scales, int4.offsets, order)
    assert lay_together([ordered, ordered]) == [ordered, ordered]
    assert lay_together([]) == []


def test_one_product_for_all() -> None:
    apart = matrices(3, 1, 5)
    x, norm = torch.randn(4, 64, dtype=torch.float64, generator=GENERATOR), torch.ones(64, dtype=torch.float64)
    expected = ops.norm_linear(x, norm, 1e-5, apart)
    for actual, wanted in zip(ops.norm_linear(x, norm, 1e-5, lay_together(apart)), expected, strict=True):
        torch.testing.assert_close(actual, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_product_added_to_something(dtype: torch.dtype) -> None:
    (weight,) = matrices(5, dtype=dtype)
    x, onto = (torch.randn(4, size, generator=GENERATOR).to(dtype) for size in (64, 5))
    torch.testing.assert_close(ops.linear(x, weight, onto), onto + x @ weight.T)
