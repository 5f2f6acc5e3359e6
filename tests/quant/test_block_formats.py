"""Every block format gives, bit for bit, the weights that the gguf package gives."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from torch import Tensor

from mistralet.checkpoint.ggml_types import GGML_TYPES
from mistralet.quant import FORMATS, BlockFormat, QuantizedTensor

ROWS, BLOCKS = 6, 5
# Where each format keeps its half-precision numbers, in bytes from the start of a block.
HALVES = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
}
EXTREME = [0.0, -0.0, 6e-8, -6e-8, 6.1e-5, 65504.0, -65504.0, float("inf"), -float("inf"), float("nan")]

every_format = pytest.mark.parametrize("block_format", FORMATS.values(), ids=FORMATS)
# The gguf package packs these itself; how far a weight of the normal distribution may then be from itself.
LARGEST_ERRORS = {"Q4_0": 0.4, "Q4_1": 0.4, "Q5_0": 0.2, "Q5_1": 0.2, "Q8_0": 0.02}


def random_blocks(block_format: BlockFormat, seed: int = 0) -> Tensor:
    """Rows of blocks of random bits, uint8 `[ROWS, row_bytes]`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (ROWS, BLOCKS * block_format.block_bytes), dtype=torch.uint8, generator=generator)


def with_halves(block_format: BlockFormat, data: Tensor, values: list[float]) -> Tensor:
    """The blocks with `values`, in turn, as their half-precision numbers."""
    blocks = data.clone().view(-1, block_format.block_bytes)
    for place, start in enumerate(HALVES[block_format.name]):
        chosen = [values[(index + 3 * place) % len(values)] for index in range(len(blocks))]
        blocks[:, start : start + 2] = torch.tensor(chosen, dtype=torch.float16).view(torch.uint8).view(-1, 2)
    return blocks.view(data.shape)


def quantized(block_format: BlockFormat, data: Tensor) -> QuantizedTensor:
    return QuantizedTensor(block_format, data, BLOCKS * block_format.block_size)


def reference(block_format: BlockFormat, data: Tensor) -> Tensor:
    with np.errstate(all="ignore"):  # infinite scales times zero
        dense = gguf.quants.dequantize(data.numpy(), GGMLQuantizationType[block_format.name])
    return torch.from_numpy(dense)


def assert_same_bits(actual: Tensor, expected: Tensor) -> None:
    """Equal values; zeros of one sign, and not-a-numbers in the same places."""
    assert actual.dtype == expected.dtype == torch.float32
    assert torch.equal(actual.isnan(), expected.isnan())
    bits, other = actual.nan_to_num().view(torch.int32), expected.nan_to_num().view(torch.int32)
    assert torch.equal(bits, other)


@every_format
@pytest.mark.parametrize("seed", range(4))
def test_ordinary_blocks(seed: int, block_format: BlockFormat) -> None:
    scales = torch.randn(16, generator=torch.Generator().manual_seed(seed)).tolist()
    data = with_halves(block_format, random_blocks(block_format, seed), scales)
    dense = quantized(block_format, data).dequantize()
    assert dense.shape == (ROWS, BLOCKS * block_format.block_size)
    assert dense.unique().numel() > 30
    assert_same_bits(dense, reference(block_format, data))


@every_format
def test_extreme_scales(block_format: BlockFormat) -> None:
    data = with_halves(block_format, random_blocks(block_format), EXTREME)
    assert_same_bits(quantized(block_format, data).dequantize(), reference(block_format, data))


@every_format
@pytest.mark.parametrize("byte", [0, 0x55, 0xAA, 0xFF])
def test_blocks_of_one_byte(byte: int, block_format: BlockFormat) -> None:
    data = with_halves(block_format, torch.full_like(random_blocks(block_format), byte), [0.5, -2.0, 1e-3])
    assert_same_bits(quantized(block_format, data).dequantize(), reference(block_format, data))


@pytest.mark.parametrize(("name", "largest_error"), LARGEST_ERRORS.items())
def test_a_matrix_the_gguf_package_packed_comes_back_close(name: str, largest_error: float) -> None:
    dense = torch.randn(ROWS, 64, generator=torch.Generator().manual_seed(0))
    packed = gguf.quants.quantize(dense.numpy(), GGMLQuantizationType[name])
    restored = QuantizedTensor(FORMATS[name], torch.from_numpy(packed), 64).dequantize()
    assert (restored - dense).abs().max() < largest_error


@every_format
@pytest.mark.parametrize(
    "rows",
    [slice(1, 3), slice(0, 0), slice(4, 100), torch.tensor([5, 0, 0, 2]), torch.tensor([], dtype=torch.int64)],
    ids=["some", "none", "beyond", "by-id", "no-ids"],
)
def test_selected_rows_are_the_rows_of_the_whole(rows: slice | Tensor, block_format: BlockFormat) -> None:
    whole = quantized(block_format, with_halves(block_format, random_blocks(block_format), [1.0, -0.5]))
    selected = whole.select(rows)
    assert torch.equal(selected.dequantize(), whole.dequantize()[rows])
    assert selected.shape == (selected.data.shape[0], whole.columns)


@every_format
def test_a_slice_of_rows_shares_memory(block_format: BlockFormat) -> None:
    whole = quantized(block_format, random_blocks(block_format))
    assert whole.select(slice(2, 4)).data.data_ptr() == whole.data[2].data_ptr()


@every_format
def test_codes_scales_and_offsets_are_the_weights(block_format: BlockFormat) -> None:
    whole = quantized(block_format, with_halves(block_format, random_blocks(block_format), [1.0, -0.5]))
    codes, scales, offsets = whole.unpack()
    groups = whole.columns // block_format.group_size
    assert codes.dtype == torch.int8
    assert codes.shape == whole.shape
    assert scales.shape == (ROWS, groups)
    by_group = codes.double().view(ROWS, groups, -1) * scales.double().unsqueeze(-1)
    if offsets is not None:
        assert offsets.shape == scales.shape
        by_group += offsets.double().unsqueeze(-1)
    assert torch.allclose(by_group.view(whole.shape), whole.dequantize().double(), atol=1e-4)


@every_format
def test_sizes_agree_with_the_reader_and_the_gguf_package(block_format: BlockFormat) -> None:
    number = GGMLQuantizationType[block_format.name].value
    listed = GGML_TYPES[number]
    sizes = (block_format.block_size, block_format.block_bytes)
    assert (listed.name, listed.block_size, listed.block_bytes) == (block_format.name, *sizes)
    assert GGML_QUANT_SIZES[GGMLQuantizationType(number)] == sizes
    assert quantized(block_format, random_blocks(block_format)).nbytes == ROWS * BLOCKS * block_format.block_bytes
    assert block_format.row_bytes(BLOCKS * block_format.block_size) == BLOCKS * block_format.block_bytes
