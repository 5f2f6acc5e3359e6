"""AWQ's `gemm` packing: a word of `qweight` holds 8 output features of one input feature, in an order of its own.

`weight = (code - zero) * scale`. The order, and the layout `[in, out / 8]`, are those of AutoAWQ's kernels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mistralet.checkpoint.scaled.scheme import Parts, Scheme, Shape
from mistralet.checkpoint.scaled.words import unpacked
from mistralet.config.quantization import Quantization

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import ScaledTensor

# Which of a word's 8 numbers, from the lowest bits on, each output feature is.
_PLACES = (0, 4, 1, 5, 2, 6, 3, 7)


def _shape(parts: Parts, _expected: Shape) -> Shape:
    columns, words = parts[".qweight"].shape
    return 8 * words, columns


def _assemble(parts: Mapping[str, Tensor], shape: Shape, _quantization: Quantization) -> ScaledTensor:
    import torch

    from mistralet.quant import Encoding, ScaledTensor, pack_half_bytes

    rows, columns = shape
    scales = parts[".scales"].T.contiguous()
    zeros = _in_order(parts[".qzeros"]).T.to(torch.float32)
    if scales.shape != zeros.shape or scales.shape[0] != rows or columns % scales.shape[1]:
        raise ValueError("scales and zero points do not fit the matrix")
    offsets = None if bool((zeros == 8).all()) else (8 - zeros) * scales.to(torch.float32)
    return ScaledTensor(Encoding.INT4, pack_half_bytes(_in_order(parts[".qweight"]).T), scales, offsets)


def _in_order(words: Tensor) -> Tensor:
    """Numbers of 4 bits: int32 `[n, m]` to uint8 `[n, 8 * m]`, output features in their order."""
    eights: Tensor = unpacked(words, 4).unflatten(-1, (-1, 8))
    return eights[..., list(_PLACES)].flatten(-2)


AWQ = Scheme("INT4 (AWQ)", ".qweight", "I32", frozenset({".scales"}), _shape, _assemble)
