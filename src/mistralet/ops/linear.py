"""Products with weight matrices, whichever way they lie in memory, and the normalisation before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mistralet.native import kernels
from mistralet.ops.gpu import gpu_kernels
from mistralet.ops.norm import rms_norm
from mistralet.ops.together import Matrix, together
from mistralet.quant import Encoding, PackedTensor, QuantizedTensor, ScaledTensor

SCORE_BLOCK = 128  # native/weights.h

# Weights turned into floats at a time: enough to keep the cores busy, small enough to stay in the cache.
_TILE_WEIGHTS = 1 << 20
# ggml's numbers of the float types, which the kernels know them by; it has none for FP8 (native/dense.h).
_TYPE_NUMBERS = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 30}
_FP8_NUMBER = 1000
_COLUMN_STEP, _COLUMN_BLOCK = 8, 1024


def linear(x: Tensor, weight: Matrix, onto: Tensor | None = None) -> Tensor:
    """`x @ weight.T`, added to `onto` if that is given.

    The native kernels multiply packed matrices, and float ones (FP8 too) on a CPU, as they lie; each row's result
    depends on that row alone, bit for bit. For packed ones activations are rounded to 8 bits in groups of 32; float
    ones take float32 activations. Any other matrix is converted a tile of rows at a time, so that it is never expanded
    as a whole.

    Args:
        x: `[tokens, in_features]`, float.
        weight: `[out_features, in_features]`.
        onto: `[tokens, out_features]`.

    Returns:
        `[tokens, out_features]`, in the type of `x`.
    """
    if isinstance(weight, ScaledTensor) and (of_gpu := gpu_kernels(x)) is not None:
        product: Tensor = of_gpu.scaled_linear(x, weight, onto)
        return product
    if onto is not None and x.is_cuda and isinstance(weight, Tensor) and weight.dtype == x.dtype:
        return torch.addmm(onto, x, weight.T)
    return _product(x, weight) if onto is None else onto + _product(x, weight)


def _product(x: Tensor, weight: Matrix) -> Tensor:
    if are_native(x, [weight]):
        return _multiply(x, [weight])[0]
    if isinstance(weight, Tensor) and weight.dtype == x.dtype:
        return F.linear(x, weight)
    out_features, in_features = weight.shape
    rows = max(1, _TILE_WEIGHTS // in_features)
    out = torch.empty(*x.shape[:-1], out_features, dtype=x.dtype, device=x.device)
    for start in range(0, out_features, rows):
        tile = _as_dense(weight, slice(start, start + rows), x.dtype)
        out[..., start : start + rows] = F.linear(x, tile)
    return out


def norm_linear(x: Tensor, norm: Tensor, eps: float, weights: Sequence[Matrix]) -> list[Tensor]:
    """`rms_norm(x) @ weight.T` for several matrices, in one step if they lie together in memory (`lay_together`).

    Args:
        x: `[tokens, in_features]`.
        norm: weight of the normalisation, `[in_features]`.
        weights: `[out_features, in_features]` each.
    """
    if are_native(x, weights):
        return _multiply(x, weights, norm=norm, eps=eps)
    normed = rms_norm(x, norm, eps)
    whole = together(weights) if len(weights) > 1 else None
    if whole is not None:
        return list(linear(normed, whole).split([weight.shape[0] for weight in weights], dim=-1))
    return [linear(normed, weight) for weight in weights]


def score(x: Tensor, norm: Tensor, eps: float, weight: Matrix) -> tuple[Tensor, Tensor | None]:
    """Scores over a vocabulary, `rms_norm(x) @ weight.T`, and the largest of each block of `SCORE_BLOCK` in a row.

    The kernels find the largest ones while the scores are still in the processor's caches; a sampler need not read all
    scores for them again. A block's is NaN if any of its scores is.

    Args:
        x: `[tokens, in_features]`.
        norm: weight of the normalisation, `[in_features]`.
        weight: `[vocab_size, in_features]`.

    Returns:
        Float32 `[tokens, vocab_size]`; float32 `[tokens, blocks]`, or None where the kernels do not multiply.
    """
    if x.dtype != torch.float32 or not are_native(x, [weight]):
        (scores,) = norm_linear(x, norm, eps, [weight])
        return scores.to(torch.float32), None
    assert kernels is not None
    tokens, columns = x.shape
    wide, wide_norm = x.contiguous(), norm.to(torch.float32).contiguous()
    scores = torch.empty(tokens, weight.shape[0])
    maxima = torch.empty(tokens, -(-weight.shape[0] // SCORE_BLOCK))
    pointers = (scores.data_ptr(), maxima.data_ptr(), wide.data_ptr())
    kernels.score(handle(weight), *pointers, tokens, columns, wide_norm.data_ptr(), eps)
    return scores, maxima


def embedding(ids: Tensor, weight: Tensor | QuantizedTensor | ScaledTensor, dtype: torch.dtype) -> Tensor:
    """Rows `ids` (`[tokens]`, int64) of `weight` (`[vocab_size, hidden_size]`): `[tokens, hidden_size]` as `dtype`."""
    return _as_dense(weight, ids, dtype)


def are_native(x: Tensor, weights: Sequence[Matrix]) -> bool:
    """Whether the kernels can multiply `x` with all these matrices."""
    return all(isinstance(weight, PackedTensor) or _is_dense_native(x, weight) for weight in weights)


def _is_dense_native(x: Tensor, weight: Matrix) -> bool:
    if kernels is None or x.dtype != torch.float32 or not isinstance(weight, (Tensor, ScaledTensor)):
        return False
    if not weight.device.type == x.device.type == "cpu":
        return False
    if isinstance(weight, ScaledTensor):
        return _is_native_fp8(weight)
    return weight.dtype in _TYPE_NUMBERS and weight.is_contiguous()


def _is_native_fp8(weight: ScaledTensor) -> bool:
    # A scale holds for whole steps, or blocks, of the kernel's columns.
    step = _COLUMN_STEP if weight.group_size < _COLUMN_BLOCK else _COLUMN_BLOCK
    return (
        weight.encoding is Encoding.FP8
        and weight.offsets is None
        and weight.order is None
        and weight.scales.dtype == torch.float32
        and weight.scales.is_contiguous()
        and weight.codes.is_contiguous()
        and (weight.scales.shape[1] == 1 or weight.group_size % step == 0)
    )


def handle(weight: Matrix) -> Any:
    """What the kernels know a native matrix by."""
    if isinstance(weight, PackedTensor):
        return weight.handle
    assert kernels is not None
    if isinstance(weight, ScaledTensor):
        pointers = (weight.codes.data_ptr(), weight.shape[0], weight.scales.data_ptr())
        return kernels.Matrix(_FP8_NUMBER, *pointers, weight.scales.shape[1])
    assert isinstance(weight, Tensor)
    return kernels.Matrix(_TYPE_NUMBERS[weight.dtype], weight.data_ptr(), weight.shape[0])


def _multiply(x: Tensor, weights: Sequence[Matrix], norm: Tensor | None = None, eps: float = 0.0) -> list[Tensor]:
    """The native product of `x`, normalised first if there is a norm, with each matrix."""
    assert kernels is not None
    tokens, columns = x.shape
    wide = x.to(torch.float32).contiguous()
    wide_norm = None if norm is None else norm.to(torch.float32).contiguous()
    outs = [torch.empty(tokens, weight.shape[0]) for weight in weights]
    kernels.linear(
        [handle(weight) for weight in weights],
        [out.data_ptr() for out in outs],
        wide.data_ptr(),
        tokens,
        columns,
        0 if wide_norm is None else wide_norm.data_ptr(),
        eps,
    )
    return outs if x.dtype == torch.float32 else [out.to(x.dtype) for out in outs]


def _as_dense(weight: Matrix, rows: slice | Tensor, dtype: torch.dtype) -> Tensor:
    assert not isinstance(weight, PackedTensor)
    if isinstance(weight, (QuantizedTensor, ScaledTensor)):
        return weight.select(rows).dequantize().to(dtype)
    return weight[rows].to(dtype)
