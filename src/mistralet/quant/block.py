"""The contract of a block format, and the tensor that stays packed in it.

A matrix row is cut into blocks of `block_size` weights. Inside a block, each group of `group_size` weights shares a
scale and an offset: `weight = code * scale + offset`. All GGUF formats have this form; they differ in packing only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class UnpackedBlocks(NamedTuple):
    """The content of `n` blocks."""

    codes: Tensor  # int8 [n, block_size]
    scales: Tensor  # float32 [n, block_size // group_size]
    offsets: Tensor | None  # float32, like scales; None where the format has none


@dataclass(frozen=True)
class BlockFormat:
    """One packing of weights."""

    name: str
    block_size: int  # weights
    block_bytes: int
    group_size: int  # weights that share a scale
    unpack: Callable[[Tensor], UnpackedBlocks]  # takes uint8 [n, block_bytes]

    def row_bytes(self, columns: int) -> int:
        """Bytes of one packed row of `columns` weights; `columns` is a multiple of `block_size`."""
        return columns // self.block_size * self.block_bytes


@dataclass(frozen=True)
class QuantizedTensor:
    """A matrix `[rows, columns]` that stays packed; `data` usually lies in a memory-mapped file."""

    format: BlockFormat
    data: Tensor  # uint8 [rows, row_bytes]
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the matrix, in weights."""
        return self.data.shape[0], self.columns

    @property
    def nbytes(self) -> int:
        """Bytes in packed form."""
        return self.data.numel()

    @property
    def device(self) -> torch.device:
        """Where the packed bytes are."""
        return self.data.device

    def to(self, device: torch.device) -> QuantizedTensor:
        """The same matrix on another device."""
        return QuantizedTensor(self.format, self.data.to(device), self.columns)

    def select(self, rows: slice | Tensor) -> QuantizedTensor:
        """Some rows, still packed (a slice shares memory)."""
        return QuantizedTensor(self.format, self.data[rows], self.columns)

    def select_columns(self, start: int, count: int) -> QuantizedTensor | None:
        """`count` columns from `start` on, still packed; None if a block would be cut."""
        if start % self.format.block_size or count % self.format.block_size:
            return None
        first, length = self.format.row_bytes(start), self.format.row_bytes(count)
        return QuantizedTensor(self.format, self.data[:, first : first + length].contiguous(), count)

    def unpack(self) -> UnpackedBlocks:
        """Codes int8 `[rows, columns]`; scales and offsets float32 `[rows, columns // group_size]`."""
        by_group = (self.shape[0], self.columns // self.format.group_size)
        blocks = self.format.unpack(self.data.reshape(-1, self.format.block_bytes))
        return UnpackedBlocks(
            blocks.codes.view(self.shape),
            blocks.scales.reshape(by_group),
            None if blocks.offsets is None else blocks.offsets.reshape(by_group),
        )

    def dequantize(self) -> Tensor:
        """The weights, float32 `[rows, columns]`."""
        codes, scales, offsets = self.unpack()
        weights = codes.to(torch.float32).view(*scales.shape, self.format.group_size)
        weights *= scales.unsqueeze(-1)
        if offsets is not None:
            weights += offsets.unsqueeze(-1)
        return weights.view(self.shape)


def float16_field(blocks: Tensor, start: int, count: int = 1) -> Tensor:
    """`count` half-precision numbers at byte `start` of each block, as float32 `[n, count]`."""
    return blocks[:, start : start + 2 * count].contiguous().view(torch.float16).to(torch.float32)


def nibbles(packed: Tensor) -> Tensor:
    """The low halves of a run of bytes, then the high halves: uint8 `[n, bytes]` to uint8 `[n, 2 * bytes]`."""
    packed = packed.contiguous()
    return torch.cat((packed & 15, packed >> 4), dim=-1)
