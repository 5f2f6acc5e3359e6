"""Matrices with codes and scales apart hold what they should, and lose nothing on their way to blocks and from them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mistralet.quant import (
    FORMATS,
    NF4_VALUES,
    Q8_0,
    Encoding,
    QuantizedTensor,
    ScaledTensor,
    as_blocks,
    block_format_of,
    pack_half_bytes,
    quantize_q8_0,
    scaled,
)

ROWS, COLUMNS, GROUP = 5, 128, 32
GENERATOR = torch.Generator().manual_seed(0)


def random_codes(encoding: Encoding) -> tuple[Tensor, Tensor]:
    """Codes as they are stored, and their values."""
    if encoding is Encoding.INT8:
        codes = torch.randint(-128, 128, (ROWS, COLUMNS), generator=GENERATOR).to(torch.int8)
        return codes, codes.float()
    if encoding is Encoding.FP8:
        codes = torch.randn(ROWS, COLUMNS, generator=GENERATOR).to(torch.float8_e4m3fn)
        return codes, codes.float()
    numbers = torch.randint(0, 16, (ROWS, COLUMNS), generator=GENERATOR)
    values = numbers.float() - 8 if encoding is Encoding.INT4 else torch.tensor(NF4_VALUES)[numbers]
    return pack_half_bytes(numbers), values


def random_scaled(encoding: Encoding, group: int = GROUP, has_offsets: bool = False) -> tuple[ScaledTensor, Tensor]:
    """A matrix whose scales float16 holds, and its weights."""
    codes, values = random_codes(encoding)
    shape = (ROWS, COLUMNS // group)
    scales = (torch.rand(shape, generator=GENERATOR) + 0.5).half().float()
    offsets = torch.randint(-64, 64, shape, generator=GENERATOR).float() * scales if has_offsets else None
    weights = values * scales.repeat_interleave(group, dim=1)
    if offsets is not None:
        weights = weights + offsets.repeat_interleave(group, dim=1)
    return ScaledTensor(encoding, codes, scales, offsets), weights


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("group", [COLUMNS, 32, 8])
@pytest.mark.parametrize("has_offsets", [False, True])
def test_weights_are_values_times_scales_plus_offsets(encoding: Encoding, group: int, has_offsets: bool) -> None:
    matrix, weights = random_scaled(encoding, group, has_offsets)
    assert matrix.shape == (ROWS, COLUMNS)
    assert matrix.group_size == group
    torch.testing.assert_close(matrix.dequantize(), weights, rtol=0, atol=0)


@pytest.mark.parametrize("encoding", Encoding)
def test_some_rows(encoding: Encoding) -> None:
    matrix, weights = random_scaled(encoding, has_offsets=True)
    some = torch.tensor([3, 0, 3])
    assert torch.equal(matrix.select(some).dequantize(), weights[some])
    assert torch.equal(matrix.select(slice(1, 3)).dequantize(), weights[1:3])


def test_columns_in_another_order() -> None:
    matrix, weights = random_scaled(Encoding.INT4)
    order = torch.randperm(COLUMNS, generator=GENERATOR)
    shuffled = ScaledTensor(matrix.encoding, matrix.codes, matrix.scales, None, order)
    assert torch.equal(shuffled.dequantize()[:, order], weights)
    assert torch.equal(shuffled.select(slice(2, 4)).dequantize()[:, order], weights[2:4])
    assert block_format_of(shuffled) is None


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_gguf_can_be_taken_apart(name: str) -> None:
    block_format = FORMATS[name]
    blocks = torch.randint(0, 256, (3, 2 * block_format.block_bytes), generator=GENERATOR, dtype=torch.uint8)
    matrix = QuantizedTensor(block_format, blocks, 2 * block_format.block_size)
    expected = matrix.dequantize()
    apart = scaled(matrix)
    assert (apart.encoding is Encoding.INT4) == name.startswith("Q4")
    finite = expected.isfinite()
    atol = 1e-6 * float(expected[finite].abs().max())  # large offsets may take away the last bits of small weights
    torch.testing.assert_close(apart.dequantize()[finite], expected[finite], rtol=1e-6, atol=atol)


def test_few_codes_of_a_wider_format_take_half_a_byte() -> None:
    small = quantize_q8_0(torch.full((1, 32), 1.0))
    assert scaled(small).encoding is Encoding.INT8
    data = small.data.clone()
    data[:, 2:] = 7
    narrow = scaled(QuantizedTensor(Q8_0, data, 32))
    assert narrow.encoding is Encoding.INT4
    assert torch.equal(narrow.dequantize(), QuantizedTensor(Q8_0, data, 32).dequantize())


@pytest.mark.parametrize(
    ("encoding", "has_offsets", "name"),
    [(Encoding.INT4, False, "Q4_0"), (Encoding.INT4, True, "Q4_1"), (Encoding.INT8, False, "Q8_0")],
)
@pytest.mark.parametrize("group", [32, 64, COLUMNS])
def test_blocks_hold_the_same_weights(encoding: Encoding, has_offsets: bool, name: str, group: int) -> None:
    matrix, weights = random_scaled(encoding, group, has_offsets)
    blocks = as_blocks(matrix)
    assert blocks.format.name == name
    # Offsets are rounded to float16, which has 11 bits.
    torch.testing.assert_close(blocks.dequantize(), weights, rtol=0, atol=0.05 if has_offsets else 0)


@pytest.mark.parametrize(
    ("encoding", "group", "has_offsets"),
    [(Encoding.INT4, 16, False), (Encoding.INT8, 32, True), (Encoding.FP8, 32, False), (Encoding.NF4, 32, False)],
)
def test_what_has_no_blocks(encoding: Encoding, group: int, has_offsets: bool) -> None:
    assert block_format_of(random_scaled(encoding, group, has_offsets)[0]) is None


def test_scales_in_half_precision() -> None:
    matrix, weights = random_scaled(Encoding.INT4, has_offsets=True)
    half = matrix.with_half_scales()
    assert half.offsets is not None
    assert (half.scales.dtype, half.offsets.dtype) == (torch.float16, torch.float16)
    torch.testing.assert_close(half.dequantize(), weights, rtol=0, atol=1e-3 * float(weights.abs().max()))


@pytest.mark.parametrize("extreme", [1e5, 1e-6, -1e-6])
def test_scales_out_of_its_range_stay(extreme: float) -> None:
    matrix, _ = random_scaled(Encoding.INT8, has_offsets=True)
    assert matrix.offsets is not None
    matrix.offsets[0, 0] = 0
    assert matrix.with_half_scales().scales.dtype == torch.float16
    matrix.offsets[0, 0] = extreme
    assert matrix.with_half_scales() is matrix
