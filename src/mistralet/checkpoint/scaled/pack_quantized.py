"""compressed-tensors' `pack-quantized`: codes of 4 or 8 bits along the columns of int32 words (SPEC 2.4).

Column k of a row lies at bits `bits * (k mod n)` of word `k // n`, as the code plus 8 (or 128); zero points are packed
alike, down the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mistralet.checkpoint.scaled.scheme import Parts, Scheme, Shape, by_row
from mistralet.checkpoint.scaled.words import unpacked
from mistralet.config.quantization import Quantization

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import ScaledTensor


def _shape(parts: Parts, expected: Shape) -> Shape:
    rows, words = parts[".weight_packed"].shape
    # The part `weight_shape` says it, but takes reading the file; a row's last word may be filled up.
    is_expected = rows == expected[0] and words in (-(-expected[1] // 8), -(-expected[1] // 4))
    return expected if is_expected else (rows, 8 * words)


def _assemble(parts: Mapping[str, Tensor], shape: Shape, quantization: Quantization) -> ScaledTensor:
    import torch

    from mistralet.quant import Encoding, ScaledTensor, pack_half_bytes

    rows, columns = shape
    bits = quantization.bits
    numbers = unpacked(parts[".weight_packed"], bits)[:, :columns]
    scales = by_row(parts[".weight_scale"], rows)
    offsets = None
    if ".weight_zero_point" in parts:
        middle = 1 << bits - 1
        zeros = unpacked(parts[".weight_zero_point"].T.contiguous(), bits)[:, :rows].T.to(torch.float32) - middle
        offsets = -zeros.reshape(scales.shape) * scales.to(torch.float32)
    order = None
    if ".weight_g_idx" in parts and (groups := parts[".weight_g_idx"]).numel() and int(groups.min()) >= 0:
        order = groups.argsort(stable=True)
        numbers = numbers[:, order]
    if bits == 8:
        return ScaledTensor(Encoding.INT8, (numbers.to(torch.int16) - 128).to(torch.int8), scales, offsets, order)
    return ScaledTensor(Encoding.INT4, pack_half_bytes(numbers), scales, offsets, order)


PACKED = Scheme("INT", ".weight_packed", "I32", frozenset({".weight_scale"}), _shape, _assemble)
