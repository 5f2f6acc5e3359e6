"""A quantised matrix in the order the native kernels read: 16 rows interleaved, the same codes and scales."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mistralet.native import kernels
from mistralet.quant.block import BlockFormat, QuantizedTensor

# ggml's numbers of the types, which the kernels know them by.
_TYPE_NUMBERS = {"Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7, "Q8_0": 8, "Q4_K": 12, "Q5_K": 13, "Q6_K": 14}


@dataclass(frozen=True)
class PackedTensor:
    """A matrix `[rows, columns]` in panels of 16 rows (see native/layout.h)."""

    type_number: int
    data: Tensor  # uint8 [packed bytes]
    shape: tuple[int, int]  # rows, columns

    @property
    def nbytes(self) -> int:
        """Bytes in packed form."""
        return self.data.nbytes

    @cached_property
    def handle(self) -> Any:
        """What the kernels know it by."""
        assert kernels is not None
        return kernels.Matrix(self.type_number, self.data.data_ptr(), self.shape[0])

    @classmethod
    def of(cls, block_format: BlockFormat, shape: tuple[int, int], data: Tensor) -> PackedTensor:
        """The matrix whose packed form lies in `data`."""
        return cls(_TYPE_NUMBERS[block_format.name], data, shape)


def packed_nbytes(block_format: BlockFormat, shape: tuple[int, int]) -> int:
    """Bytes of a matrix `[rows, columns]` of that format once packed."""
    assert kernels is not None
    return int(kernels.packed_bytes(_TYPE_NUMBERS[block_format.name], *shape))


def pack(weight: QuantizedTensor) -> PackedTensor:
    """Interleave the rows of a matrix on the CPU. Needs the native kernels."""
    assert kernels is not None
    data = torch.empty(packed_nbytes(weight.format, weight.shape), dtype=torch.uint8)
    packed = PackedTensor.of(weight.format, weight.shape, data)
    source = weight.data.contiguous()
    kernels.pack(packed.type_number, source.data_ptr(), *weight.shape, packed.data.data_ptr())
    return packed
