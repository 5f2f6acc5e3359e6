"""Products with a weight matrix, whichever way it lies in memory."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mistralet.quant import QuantizedTensor

# Weights turned into floats at a time: enough to keep the cores busy, small enough to stay in the cache.
_TILE_WEIGHTS = 1 << 20


def linear(x: Tensor, weight: Tensor | QuantizedTensor) -> Tensor:
    """`x @ weight.T`.

    A matrix that is packed, or of another float type than `x`, is converted a tile of rows at a time, so that it is
    never expanded as a whole.

    Args:
        x: `[..., in_features]`, float.
        weight: `[out_features, in_features]`.

    Returns:
        `[..., out_features]`, in the type of `x`.
    """
    if isinstance(weight, Tensor) and weight.dtype == x.dtype:
        return F.linear(x, weight)
    out_features, in_features = weight.shape
    rows = max(1, _TILE_WEIGHTS // in_features)
    out = torch.empty(*x.shape[:-1], out_features, dtype=x.dtype, device=x.device)
    for start in range(0, out_features, rows):
        tile = _as_dense(weight, slice(start, start + rows), x.dtype)
        out[..., start : start + rows] = F.linear(x, tile)
    return out


def embedding(ids: Tensor, weight: Tensor | QuantizedTensor, dtype: torch.dtype) -> Tensor:
    """Rows `ids` (`[tokens]`, int64) of `weight` (`[vocab_size, hidden_size]`): `[tokens, hidden_size]` as `dtype`."""
    return _as_dense(weight, ids, dtype)


def _as_dense(weight: Tensor | QuantizedTensor, rows: slice | Tensor, dtype: torch.dtype) -> Tensor:
    if isinstance(weight, QuantizedTensor):
        return weight.select(rows).dequantize().to(dtype)
    return weight[rows].to(dtype)
