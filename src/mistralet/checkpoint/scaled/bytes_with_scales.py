"""Matrices of FP8 or int8 codes, a byte each, with scales beside them (SPEC 2.4).

compressed-tensors has a scale for each row, static FP8 one for the matrix (`weight_scale_inv`, which multiplies despite
its name) or one for each square block of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mistralet.checkpoint.scaled.scheme import Parts, Scheme, Shape, by_row
from mistralet.config.quantization import Quantization

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import ScaledTensor

_SCALES = (".weight_scale", ".weight_scale_inv")


def _shape(parts: Parts, _expected: Shape) -> Shape:
    return parts[".weight"].shape


def _fp8(parts: Mapping[str, Tensor], shape: Shape, _quantization: Quantization) -> ScaledTensor:
    from mistralet.quant import Encoding, ScaledTensor

    return ScaledTensor(Encoding.FP8, parts[".weight"], _scales(parts, shape))


def _int8(parts: Mapping[str, Tensor], shape: Shape, _quantization: Quantization) -> ScaledTensor:
    from mistralet.quant import Encoding, ScaledTensor

    return ScaledTensor(Encoding.INT8, parts[".weight"], _scales(parts, shape))


def _scales(parts: Mapping[str, Tensor], shape: Shape) -> Tensor:
    scales = next(parts[suffix] for suffix in _SCALES if suffix in parts)
    rows, columns = shape
    if scales.dim() == 2 and 1 < scales.shape[0] < rows:  # of square blocks
        side = -(-rows // scales.shape[0])
        if scales.shape[1] * side != columns:
            raise ValueError("blocks of scales do not cover the matrix")
        scales = scales.repeat_interleave(side, dim=0)[:rows]
    return by_row(scales, rows)


FP8 = Scheme("FP8", ".weight", "F8_E4M3", frozenset(_SCALES), _shape, _fp8)
INT8 = Scheme("INT8", ".weight", "I8", frozenset({".weight_scale"}), _shape, _int8)
