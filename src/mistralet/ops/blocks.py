"""The two halves of a layer, each in one step: natively in one call, else put together from the other operations."""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.native import kernels
from mistralet.ops.activation import swiglu
from mistralet.ops.attention import attend, is_native_cache, rotate_and_store
from mistralet.ops.linear import are_native, handle, linear, norm_linear
from mistralet.ops.paged import LayerCache, PagedBatch
from mistralet.ops.together import Matrix


def attention_block(
    x: Tensor,
    norm: Tensor,
    eps: float,
    weights: tuple[Matrix, Matrix, Matrix, Matrix],
    rotations: Tensor,
    cache: LayerCache,
    batch: PagedBatch,
) -> Tensor:
    """`x + attention(rms_norm(x))`; the keys and values of `x` join the cache.

    Args:
        x: `[tokens, hidden_size]`; its memory may be used for the result.
        norm: weight of the normalisation, `[hidden_size]`.
        weights: of query, key, value `[heads * head_dim, hidden_size]` (key and value: kv_heads) and output
            `[hidden_size, heads * head_dim]`.
        rotations: complex64 `[tokens, head_dim // 2]`.

    Returns:
        `[tokens, hidden_size]`.
    """
    head_dim = cache.head_dim
    if is_native_cache(cache) and _is_native(x, norm, weights):
        assert kernels is not None
        handles = [handle(weight) for weight in weights]
        pointers = (x.data_ptr(), x.shape[1], norm.data_ptr(), eps)
        kernels.attention_block(*pointers, *handles, rotations.data_ptr(), head_dim**-0.5, cache.handle, batch.handle)
        return x
    query, key, value = (
        projected.unflatten(-1, (-1, head_dim)) for projected in norm_linear(x, norm, eps, weights[:3])
    )
    query = rotate_and_store(query, key, value, rotations, cache, batch)
    return linear(attend(query, cache, batch).flatten(-2), weights[3], onto=x)


def feed_forward_block(x: Tensor, norm: Tensor, eps: float, weights: tuple[Matrix, Matrix, Matrix]) -> Tensor:
    """`x + down(silu(gate(y)) * up(y))` with `y = rms_norm(x)` (Shazeer 2020, "GLU Variants Improve Transformer").

    Args:
        x: `[tokens, hidden_size]`; its memory may be used for the result.
        norm: weight of the normalisation, `[hidden_size]`.
        weights: of gate and up `[intermediate_size, hidden_size]`, and down `[hidden_size, intermediate_size]`.

    Returns:
        `[tokens, hidden_size]`.
    """
    if _is_native(x, norm, weights):
        assert kernels is not None
        handles = [handle(weight) for weight in weights]
        kernels.feed_forward_block(x.data_ptr(), *x.shape, norm.data_ptr(), eps, *handles)
        return x
    gate, up = norm_linear(x, norm, eps, weights[:2])
    return linear(swiglu(gate, up), weights[2], onto=x)


def _is_native(x: Tensor, norm: Tensor, weights: tuple[Matrix, ...]) -> bool:
    return are_native(x, weights) and x.dtype == norm.dtype == torch.float32 and x.is_contiguous()
