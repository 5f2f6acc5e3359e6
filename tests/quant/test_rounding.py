"""What rounding to FP8 and to 4 bits loses."""

from __future__ import annotations

import pytest
import torch

from mistralet.config import Rounding
from mistralet.quant import Encoding, round_weight

WEIGHT = torch.randn(16, 256, generator=torch.Generator().manual_seed(0)) * 0.02


def test_fp8_is_off_by_a_sixteenth_of_each_weight_at_most() -> None:
    rounded = round_weight(WEIGHT.bfloat16(), Rounding.FP8)
    assert (rounded.encoding, rounded.group_size) == (Encoding.FP8, 256)
    error = (rounded.dequantize() - WEIGHT.bfloat16().float()).abs()
    # Below the smallest normal number, steps are 2^-9 of a scale.
    assert bool((error <= WEIGHT.abs() / 15 + rounded.scales * 2**-9).all())


def test_int4_is_off_by_half_a_step_where_nothing_is_cut() -> None:
    rounded = round_weight(WEIGHT, Rounding.INT4)
    assert (rounded.encoding, rounded.group_size) == (Encoding.INT4, 64)
    assert rounded.nbytes * 8 / WEIGHT.numel() == 4.5
    groups = WEIGHT.unflatten(-1, (-1, 64))
    plain_step = (groups.amax(-1) - groups.amin(-1)) / 15
    plain_error = (plain_step.square() / 12).mean()  # of even steps over the whole range
    error = (rounded.dequantize() - WEIGHT).square().mean()
    assert error < plain_error
    assert error > plain_error / 2


@pytest.mark.parametrize("columns", [2, 6, 40, 96])
def test_rows_without_whole_groups(columns: int) -> None:
    weight = torch.randn(3, columns, generator=torch.Generator().manual_seed(1))
    rounded = round_weight(weight, Rounding.INT4)
    assert columns % rounded.group_size == 0
    torch.testing.assert_close(rounded.dequantize(), weight, rtol=0, atol=0.3)


@pytest.mark.parametrize("rounding", Rounding)
def test_constant_rows_stay(rounding: Rounding) -> None:
    weight = torch.tensor([[0.0] * 64, [0.5] * 64, [-3.0] * 64])
    torch.testing.assert_close(round_weight(weight, rounding).dequantize(), weight, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("rounding", Rounding)
def test_a_large_matrix_is_rounded_in_parts(rounding: Rounding, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = round_weight(WEIGHT, rounding)
    monkeypatch.setattr("mistralet.quant.rounding._TILE_WEIGHTS", 5 * 256)
    parts = round_weight(WEIGHT, rounding)
    assert parts.scales.shape == whole.scales.shape
    assert torch.equal(parts.dequantize(), whole.dequantize())
