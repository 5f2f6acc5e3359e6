"""Products with a weight matrix, whichever way it lies in memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mistralet.native import kernels
from mistralet.quant import PackedTensor, QuantizedTensor

Matrix = Tensor | QuantizedTensor | PackedTensor

# Weights turned into floats at a time: enough to keep the cores busy, small enough to stay in the cache.
_TILE_WEIGHTS = 1 << 20


def linear(x: Tensor, weight: Matrix) -> Tensor:
    """`x @ weight.T`.

    A packed matrix is multiplied as it lies, by the native kernels: activations are rounded to 8 bits in groups of 32,
    and each row's result depends on that row alone, bit for bit. A matrix that is quantised, or of another float type
    than `x`, is converted a tile of rows at a time, so that it is never expanded as a whole.

    Args:
        x: `[tokens, in_features]`, float.
        weight: `[out_features, in_features]`.

    Returns:
        `[tokens, out_features]`, in the type of `x`.
    """
    if isinstance(weight, PackedTensor):
        return _multiply_packed(x, [weight])[0]
    if isinstance(weight, Tensor) and weight.dtype == x.dtype:
        return F.linear(x, weight)
    out_features, in_features = weight.shape
    rows = max(1, _TILE_WEIGHTS // in_features)
    out = torch.empty(*x.shape[:-1], out_features, dtype=x.dtype, device=x.device)
    for start in range(0, out_features, rows):
        tile = _as_dense(weight, slice(start, start + rows), x.dtype)
        out[..., start : start + rows] = F.linear(x, tile)
    return out


def linear_many(x: Tensor, weights: Sequence[Matrix]) -> list[Tensor]:
    """`x @ weight.T` for several matrices; packed ones share one rounding of `x` and one pass of the threads."""
    packed = [weight for weight in weights if isinstance(weight, PackedTensor)]
    if len(packed) == len(weights):
        return _multiply_packed(x, packed)
    return [linear(x, weight) for weight in weights]


def embedding(ids: Tensor, weight: Tensor | QuantizedTensor, dtype: torch.dtype) -> Tensor:
    """Rows `ids` (`[tokens]`, int64) of `weight` (`[vocab_size, hidden_size]`): `[tokens, hidden_size]` as `dtype`."""
    return _as_dense(weight, ids, dtype)


def _multiply_packed(x: Tensor, weights: Sequence[PackedTensor]) -> list[Tensor]:
    assert kernels is not None
    tokens, columns = x.shape
    wide = x.to(torch.float32).contiguous()
    outs = [torch.empty(tokens, weight.shape[0]) for weight in weights]
    products = [
        (weight.type_number, weight.data.data_ptr(), weight.shape[0], out.data_ptr())
        for weight, out in zip(weights, outs, strict=True)
    ]
    kernels.linear(products, columns, wide.data_ptr(), tokens)
    return outs if x.dtype == torch.float32 else [out.to(x.dtype) for out in outs]


def _as_dense(weight: Tensor | QuantizedTensor, rows: slice | Tensor, dtype: torch.dtype) -> Tensor:
    if isinstance(weight, QuantizedTensor):
        return weight.select(rows).dequantize().to(dtype)
    return weight[rows].to(dtype)
