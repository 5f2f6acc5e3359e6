"""Products with a weight matrix, whichever way it lies in memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mistralet.native import kernels
from mistralet.quant import PackedTensor, QuantizedTensor

Matrix = Tensor | QuantizedTensor | PackedTensor

# ggml's numbers of the float types, which the kernels know them by.
_TYPE_NUMBERS = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 30}
# Weights turned into floats at a time: enough to keep the cores busy, small enough to stay in the cache.
_TILE_WEIGHTS = 1 << 20


def linear(x: Tensor, weight: Matrix) -> Tensor:
    """`x @ weight.T`.

    The native kernels multiply a matrix as it lies, and each row's result depends on that row alone, bit for bit: a
    packed one with activations rounded to 8 bits in groups of 32; one of 16- or 32-bit floats on the CPU, with float32
    activations, by float32 arithmetic. Without them a matrix that is quantised, or of another float type than `x`, is
    converted a tile of rows at a time, so that it is never expanded as a whole.

    Args:
        x: `[tokens, in_features]`, float.
        weight: `[out_features, in_features]`.

    Returns:
        `[tokens, out_features]`, in the type of `x`.
    """
    if _is_for_native(x, weight):
        return _multiply_native(x, [weight])[0]
    assert not isinstance(weight, PackedTensor)
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
    """`x @ weight.T` for several matrices; native ones share one rounding of `x` and one pass of the threads."""
    if all(_is_for_native(x, weight) for weight in weights):
        return _multiply_native(x, weights)
    return [linear(x, weight) for weight in weights]


def embedding(ids: Tensor, weight: Tensor | QuantizedTensor, dtype: torch.dtype) -> Tensor:
    """Rows `ids` (`[tokens]`, int64) of `weight` (`[vocab_size, hidden_size]`): `[tokens, hidden_size]` as `dtype`."""
    return _as_dense(weight, ids, dtype)


def _is_for_native(x: Tensor, weight: Matrix) -> bool:
    if isinstance(weight, PackedTensor):
        return True
    return (
        kernels is not None
        and isinstance(weight, Tensor)
        and weight.dtype in _TYPE_NUMBERS
        and weight.device.type == x.device.type == "cpu"
        and weight.is_contiguous()
        and x.dtype == torch.float32
    )


def _multiply_native(x: Tensor, weights: Sequence[Matrix]) -> list[Tensor]:
    assert kernels is not None
    columns = x.shape[-1]
    wide = x.to(torch.float32).contiguous()
    tokens = wide.numel() // columns
    outs = [torch.empty(*x.shape[:-1], weight.shape[0]) for weight in weights]
    products = [
        (*_number_and_address(weight), weight.shape[0], out.data_ptr())
        for weight, out in zip(weights, outs, strict=True)
    ]
    kernels.linear(products, columns, wide.data_ptr(), tokens)
    return outs if x.dtype == torch.float32 else [out.to(x.dtype) for out in outs]


def _number_and_address(weight: Matrix) -> tuple[int, int]:
    if isinstance(weight, PackedTensor):
        return weight.type_number, weight.data.data_ptr()
    assert isinstance(weight, Tensor)
    return _TYPE_NUMBERS[weight.dtype], weight.data_ptr()


def _as_dense(weight: Tensor | QuantizedTensor, rows: slice | Tensor, dtype: torch.dtype) -> Tensor:
    if isinstance(weight, QuantizedTensor):
        return weight.select(rows).dequantize().to(dtype)
    return weight[rows].to(dtype)
