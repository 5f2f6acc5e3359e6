"""Attention over a paged cache: of the text decoder (causal) and of the vision encoder (each image by itself)."""

from __future__ import annotations

from types import ModuleType

import torch
import torch.nn.functional as F
from torch import Tensor

from mistralet.config import KVType
from mistralet.native import kernels
from mistralet.ops.causal import causal_attention
from mistralet.ops.gpu import gpu_kernels
from mistralet.ops.paged import (
    BLOCK_SIZE,
    LARGEST_CODES,
    LEAST_SCALED,
    LayerCache,
    PagedBatch,
    Span,
    blocks_for,
)
from mistralet.ops.rotary import apply_rotary
from mistralet.quant import kv_int4

_LARGEST_HEAD_DIM = 256  # kMaxHeadDim of native/kv_types.h


def rotate_and_store(
    query: Tensor, key: Tensor, value: Tensor, rotations: Tensor, cache: LayerCache, batch: PagedBatch
) -> Tensor:
    """Turn queries and keys by their position, and put keys and values into the cache.

    Args:
        query: `[tokens, heads, head_dim]`; its memory may be used for the result.
        key, value: `[tokens, kv_heads, head_dim]`.
        rotations: complex64 `[tokens, head_dim // 2]`.

    Returns:
        The turned queries, `[tokens, heads, head_dim]`.
    """
    if _is_native(query, cache) and query.is_contiguous():
        assert kernels is not None
        key, value, rotations = key.contiguous(), value.contiguous(), rotations.contiguous()
        pointers = [x.data_ptr() for x in (query, key, value, rotations)]
        kernels.rotate_and_store(*pointers, query.shape[1], cache.handle, batch.handle)
        return query
    of_gpu = _gpu_kernels(query, cache)
    if of_gpu is not None:
        turned: Tensor = of_gpu.rotate_and_store(query, key, value, rotations, cache, batch.tables_on(query.device))
        return turned
    slots = batch.slots.to(query.device)
    blocks, places = slots // BLOCK_SIZE, slots % BLOCK_SIZE
    if cache.kv_type is KVType.INT4:
        kv_int4.store_keys(cache.keys, blocks, places, apply_rotary(key, rotations))
        kv_int4.store_values(cache.values, blocks, places, value)
        return apply_rotary(query, rotations)
    key_codes, key_scales = _encode(apply_rotary(key, rotations), cache)
    value_codes, value_scales = _encode(value, cache)
    cache.keys[blocks, :, :, places] = key_codes
    cache.values[blocks, :, places] = value_codes
    if cache.key_scales is not None and cache.value_scales is not None:
        cache.key_scales[blocks, :, places] = key_scales
        cache.value_scales[blocks, :, places] = value_scales
    return apply_rotary(query, rotations)


def attend(query: Tensor, cache: LayerCache, batch: PagedBatch) -> Tensor:
    """Attention of each token to its own sequence, whose keys and values are in the cache.

    Consecutive query heads share a key head. With the native kernels a token's result depends on its own sequence
    alone, bit for bit, whatever else is in the batch. They compute in float32; with a float16 cache and a batch that is
    not causal, in whole numbers of 16 bits, twice as fast and within 2e-3.

    Args:
        query: `[tokens, heads, head_dim]`.

    Returns:
        Like `query`.
    """
    if _is_native(query, cache):
        assert kernels is not None
        query = query.contiguous()
        out = torch.empty_like(query)
        _, heads, head_dim = query.shape
        kernels.attend(query.data_ptr(), heads, head_dim**-0.5, cache.handle, batch.handle, out.data_ptr())
        return out
    of_gpu = _gpu_kernels(query, cache)
    if of_gpu is not None and batch.is_decoding:
        attended: Tensor = of_gpu.decode_attention(query, cache, batch.tables_on(query.device))
        return attended
    if of_gpu is not None and batch.causal:
        return _attend_mixed(of_gpu, query, cache, batch)
    parts = query.split([span.tokens for span in batch.spans])
    return torch.cat(
        [_attend_span(part, cache, span, batch.causal) for part, span in zip(parts, batch.spans, strict=True)]
    )


def is_native_cache(cache: LayerCache) -> bool:
    """Whether there are kernels for its type and for heads of that size."""
    fits = cache.head_dim % 16 == 0 and cache.head_dim <= _LARGEST_HEAD_DIM
    return kernels is not None and cache.kv_type.is_native and fits


def _is_native(query: Tensor, cache: LayerCache) -> bool:
    return is_native_cache(cache) and query.dtype == torch.float32 and query.device.type == "cpu"


def _gpu_kernels(query: Tensor, cache: LayerCache) -> ModuleType | None:
    """Those for a GPU, if they know the type of the cache."""
    return None if cache.kv_type is KVType.INT4 else gpu_kernels(query)


def _attend_mixed(of_gpu: ModuleType, query: Tensor, cache: LayerCache, batch: PagedBatch) -> Tensor:
    """The single tokens of a batch together, each longer span by itself."""
    out = torch.empty_like(query)
    singles, rows = batch.singles
    if singles.spans:
        places = rows.to(query.device)
        out[places] = of_gpu.decode_attention(query[places], cache, singles.tables_on(query.device))
    first = 0
    for span in batch.spans:
        if span.tokens > 1:
            piece = slice(first, first + span.tokens)
            out[piece] = _attend_span(query[piece], cache, span, causal=True)
        first += span.tokens
    return out


def _attend_span(query: Tensor, cache: LayerCache, span: Span, causal: bool) -> Tensor:
    blocks = span.blocks[: blocks_for(span.context)].to(query.device, torch.int64)
    if cache.kv_type is KVType.INT4:
        keys, values = kv_int4.load_keys(cache.keys[blocks]), kv_int4.load_values(cache.values[blocks])
        keys, values = keys.to(query.dtype), values.to(query.dtype)
    else:
        keys = _decode(cache.keys[blocks].transpose(2, 3), cache.key_scales, blocks, query.dtype)
        values = _decode(cache.values[blocks], cache.value_scales, blocks, query.dtype)
    # To [kv_heads, context, head_dim]
    keys, values = (x.transpose(0, 1).flatten(1, 2)[:, : span.context] for x in (keys, values))
    if causal and span.tokens > 1:
        return causal_attention(query, keys, values)
    attended = F.scaled_dot_product_attention(query.transpose(0, 1)[None], keys[None], values[None], enable_gqa=True)
    return attended[0].transpose(0, 1)


def _encode(x: Tensor, cache: LayerCache) -> tuple[Tensor, Tensor]:
    """As the cache stores it, and the scales `[tokens, kv_heads]` of 8-bit codes."""
    largest_code = LARGEST_CODES.get(cache.kv_type)
    if largest_code is None:
        return x.to(cache.keys.dtype), x
    largest = x.to(torch.float32).abs().amax(-1)
    factor = torch.where(largest > LEAST_SCALED, largest_code / largest, 0)
    codes, scales = x * factor.unsqueeze(-1), largest / largest_code
    if cache.kv_type is KVType.FP8:
        return codes.to(torch.float8_e4m3fn).view(torch.uint8), scales
    return torch.round(codes).to(torch.int8), scales


def _decode(stored: Tensor, scales: Tensor | None, blocks: Tensor, dtype: torch.dtype) -> Tensor:
    if stored.dtype == torch.uint8:
        stored = stored.view(torch.float8_e4m3fn).to(torch.float32)
    return stored.to(dtype) if scales is None else (stored * scales[blocks].unsqueeze(-1)).to(dtype)
