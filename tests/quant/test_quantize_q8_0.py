"""Rounding to Q8_0 loses at most half a scale, and what it gives is read like any Q8_0."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.quant import quantize_q8_0


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.sampled_from([1e-3, 1.0, 1e4]), st.sampled_from([torch.float32, torch.bfloat16]))
def test_a_weight_is_off_by_at_most_half_a_scale(seed: int, size: float, dtype: torch.dtype) -> None:
    weight = (size * torch.randn(3, 64, generator=torch.Generator().manual_seed(seed))).to(dtype)
    rounded = quantize_q8_0(weight)
    scales = rounded.unpack().scales.repeat_interleave(32, -1)
    assert rounded.shape == (3, 64)
    assert ((rounded.dequantize() - weight.float()).abs() <= scales * 0.5001).all()
    assert (scales <= 1.001 * weight.float().abs().max() / 127 + 1e-7).all()


def test_what_fits_comes_back_exactly() -> None:
    weight = torch.arange(-127, 129, 8).view(1, 32) / 64
    weight[0, 0] = 127 / 64
    assert torch.equal(quantize_q8_0(weight).dequantize(), weight)
    assert torch.equal(quantize_q8_0(torch.zeros(2, 32)).dequantize(), torch.zeros(2, 32))


@pytest.mark.parametrize("value", [1e-9, -1e-9, 1e30, -1e30])
def test_tiny_and_huge_weights_stay_numbers(value: float) -> None:
    dense = quantize_q8_0(torch.full((1, 32), value)).dequantize()
    assert dense.isfinite().all()
    assert (dense * value >= 0).all()
