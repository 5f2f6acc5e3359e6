"""`ScaledTensor`: a quantised matrix whose codes and scales lie in tensors of their own, as GPUs read them best.

`weight = value(code) * scale + offset`, with a scale and an offset for each group of neighbouring weights in a row. All
formats of safetensors checkpoints have this form, and all of GGUF's can be brought into it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import torch
from torch import Tensor

from mistralet.quant.block import QuantizedTensor

# The 16 values of a normal distribution's quantiles (Dettmers et al. 2023, "QLoRA", appendix E).
NF4_VALUES = (
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
)


class Encoding(Enum):
    """How a code is stored, and what value it has."""

    INT4 = "int4"  # half a byte, the even column in the low half; its value is the number less 8
    NF4 = "nf4"  # half a byte alike; its value is one of `NF4_VALUES`
    INT8 = "int8"  # a signed byte
    FP8 = "fp8"  # float8 e4m3fn: 4 bits of exponent, 3 of mantissa, no infinity

    @property
    def per_byte(self) -> int:
        """Codes that share a byte."""
        return 2 if self in (Encoding.INT4, Encoding.NF4) else 1


@dataclass(frozen=True)
class ScaledTensor:
    """A matrix `[rows, columns]`."""

    encoding: Encoding
    codes: Tensor  # uint8 [rows, columns // 2], int8 or float8_e4m3fn [rows, columns]
    scales: Tensor  # float [rows, groups]; columns is a multiple of groups
    offsets: Tensor | None = None  # float, like scales; None: zero
    order: Tensor | None = (
        None  # int64 [columns]: the column of the matrix that each column of codes is of; None: its own
    )

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the matrix, in weights."""
        rows, columns = self.codes.shape
        return rows, columns * self.encoding.per_byte

    @property
    def group_size(self) -> int:
        """Weights that share a scale."""
        return self.shape[1] // self.scales.shape[1]

    @property
    def nbytes(self) -> int:
        """Bytes of codes, scales and offsets."""
        return sum(t.nbytes for t in (self.codes, self.scales, self.offsets, self.order) if t is not None)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.codes.device

    def to(self, device: torch.device) -> ScaledTensor:
        """The same matrix on another device."""
        return ScaledTensor(
            self.encoding,
            self.codes.to(device),
            self.scales.to(device),
            None if self.offsets is None else self.offsets.to(device),
            None if self.order is None else self.order.to(device),
        )

    def select(self, rows: slice | Tensor) -> ScaledTensor:
        """Some rows, still quantised (a slice shares memory)."""
        offsets = None if self.offsets is None else self.offsets[rows]
        return replace(self, codes=_rows(self.codes, rows), scales=self.scales[rows], offsets=offsets)

    def select_columns(self, start: int, count: int) -> ScaledTensor | None:
        """`count` columns from `start` on, still quantised; None if a group would be cut, or columns are reordered."""
        per_byte = self.encoding.per_byte
        groups = slice(None)
        if self.scales.shape[1] > 1:
            if start % self.group_size or count % self.group_size:
                return None
            groups = slice(start // self.group_size, (start + count) // self.group_size)
        if self.order is not None or start % per_byte or count % per_byte:
            return None
        return replace(
            self,
            codes=self.codes[:, start // per_byte : (start + count) // per_byte].contiguous(),
            scales=self.scales[:, groups].contiguous(),
            offsets=None if self.offsets is None else self.offsets[:, groups].contiguous(),
        )

    def with_half_scales(self) -> ScaledTensor:
        """The same with scales and offsets in float16, if all are within its range, where it is exact to 0.05 %."""
        parts = [part for part in (self.scales, self.offsets) if part is not None]
        limits = torch.finfo(torch.float16)
        for part in parts:
            sizes = part.abs()
            if not bool(((sizes <= limits.max) & ((sizes >= limits.tiny) | (sizes == 0))).all()):
                return self
        offsets = None if self.offsets is None else self.offsets.to(torch.float16)
        return replace(self, scales=self.scales.to(torch.float16), offsets=offsets)

    def in_stored_order(self) -> ScaledTensor:
        """The same columns in the order of the codes; `x[:, order]` goes with it."""
        return replace(self, order=None)

    def values(self) -> Tensor:
        """The values of the codes, float32 `[rows, columns]`, columns as they are stored."""
        if self.encoding.per_byte == 1:
            return self.codes.to(torch.float32)
        numbers = torch.stack((self.codes & 15, self.codes >> 4), dim=-1).flatten(-2)
        if self.encoding is Encoding.INT4:
            return numbers.to(torch.float32) - 8
        return torch.tensor(NF4_VALUES, device=self.device)[numbers.to(torch.int64)]

    def dequantize(self) -> Tensor:
        """The weights, float32 `[rows, columns]`."""
        weights: Tensor = self.values().unflatten(-1, (-1, self.group_size))
        weights *= self.scales.to(torch.float32).unsqueeze(-1)
        if self.offsets is not None:
            weights += self.offsets.to(torch.float32).unsqueeze(-1)
        weights = weights.flatten(-2)
        if self.order is None:
            return weights
        ordered = torch.empty_like(weights)
        ordered[:, self.order] = weights
        return ordered


def scaled(weight: QuantizedTensor) -> ScaledTensor:
    """A matrix of a GGUF format with its codes and scales apart: the same weights.

    Codes of 5 and 6 bits become 8. Scales and offsets are kept in float32.
    """
    codes, scales, offsets = weight.unpack()
    lowest, highest = (int(bound) for bound in codes.aminmax())
    if lowest >= -8 and highest <= 7:
        return ScaledTensor(Encoding.INT4, pack_half_bytes(codes + 8), scales, offsets)
    if lowest >= 0 and highest <= 15:
        base = 8 * scales if offsets is None else offsets + 8 * scales
        return ScaledTensor(Encoding.INT4, pack_half_bytes(codes), scales, base)
    return ScaledTensor(Encoding.INT8, codes, scales, offsets)


def join_rows(parts: Sequence[ScaledTensor]) -> ScaledTensor:
    """Matrices of one kind, one below the other."""
    offsets = [part.offsets for part in parts if part.offsets is not None]
    return replace(
        parts[0],
        # As bytes, since not every device joins float8.
        codes=torch.cat([part.codes.view(torch.uint8) for part in parts]).view(parts[0].codes.dtype),
        scales=torch.cat([part.scales for part in parts]),
        offsets=torch.cat(offsets) if offsets else None,
    )


def pack_half_bytes(numbers: Tensor) -> Tensor:
    """Numbers from 0 to 15 `[rows, columns]`, two in a byte: uint8 `[rows, columns // 2]`, the even column low."""
    pairs: Tensor = numbers.to(torch.uint8).unflatten(-1, (-1, 2))
    return pairs[..., 0] | pairs[..., 1] << 4


def _rows(codes: Tensor, rows: slice | Tensor) -> Tensor:
    # Not every device indexes float8: its bytes are taken, which is the same.
    if codes.dtype == torch.float8_e4m3fn:
        return codes.view(torch.uint8)[rows].view(torch.float8_e4m3fn)
    return codes[rows]
