"""Every packing gives back what the `gguf` package reads from the same bytes, bit for bit."""

from __future__ import annotations

import gguf
import numpy as np
import pytest
import torch

from mistralet.quant import FORMATS, BlockFormat, QuantizedTensor

ROWS, BLOCKS = 6, 3


def random_bytes(block_format: BlockFormat, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (ROWS, BLOCKS * block_format.block_bytes), dtype=np.uint8)


def quantized(block_format: BlockFormat, data: np.ndarray) -> QuantizedTensor:
    return QuantizedTensor(block_format, torch.from_numpy(data), BLOCKS * block_format.block_size)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore:(invalid value|overflow) encountered:RuntimeWarning")
def test_random_blocks_are_read_as_by_the_reference(name: str, seed: int) -> None:
    """Random bytes hold every code, and scales that are huge, tiny, infinite or no number."""
    data = random_bytes(FORMATS[name], seed)
    expected = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[name])
    assert np.array_equal(quantized(FORMATS[name], data).dequantize().numpy(), expected, equal_nan=True)


@pytest.mark.parametrize("name", FORMATS)
def test_selected_rows_are_those_rows(name: str) -> None:
    data = random_bytes(FORMATS[name], seed=9)
    whole = quantized(FORMATS[name], data)
    dense = whole.dequantize().numpy()
    part = whole.select(slice(2, 5))
    assert np.array_equal(part.dequantize().numpy(), dense[2:5], equal_nan=True)
    assert part.data.data_ptr() == whole.data[2:].data_ptr()
    picked = whole.select(torch.tensor([5, 0, 5])).dequantize().numpy()
    assert np.array_equal(picked, dense[[5, 0, 5]], equal_nan=True)


@pytest.mark.parametrize("name", FORMATS)
def test_sizes_are_told_in_weights_and_bytes(name: str) -> None:
    block_format = FORMATS[name]
    weight = quantized(block_format, random_bytes(block_format, seed=0))
    assert weight.shape == (ROWS, BLOCKS * block_format.block_size)
    assert weight.nbytes == ROWS * BLOCKS * block_format.block_bytes == ROWS * block_format.row_bytes(weight.shape[1])
    codes, scales, _ = weight.unpack()
    assert codes.dtype == torch.int8
    assert scales.shape == (ROWS, weight.shape[1] // block_format.group_size)
