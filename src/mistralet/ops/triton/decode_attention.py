"""Attention of one new token of each sequence over its paged cache, split along the context.

Each program has one sequence, the query heads of one key head, and a piece of the context; what the pieces come to is
joined by their largest scores (as in Flash-Decoding, Dao et al. 2023). Where a piece begins and ends depends on its own
sequence alone.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.config import KVType
from mistralet.ops.paged import BLOCK_SIZE, LayerCache, PagedTables, blocks_for
from mistralet.ops.triton.codes import float8_name, whole_bytes

_SPLIT_BLOCKS = 16  # of the cache, in a piece: 512 tokens
_FEWEST_HEADS = 16  # of a product on tensor cores
_JOINED_AT_ONCE = 16  # pieces


@triton.jit
def _attend(
    query,
    keys,
    values,
    key_scales,
    value_scales,
    block_table,
    contexts,
    partial,
    largest,
    sums,
    table_stride,
    kv_heads,
    splits,
    scale,
    has_scales: tl.constexpr,
    encoding: tl.constexpr,
    heads_of_one: tl.constexpr,
    head_block: tl.constexpr,
    head_dim: tl.constexpr,
    dim_block: tl.constexpr,
    block_size: tl.constexpr,
    split_blocks: tl.constexpr,
):
    sequence, kv_head, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    context = tl.load(contexts + sequence)
    head = tl.arange(0, head_block)
    feature = tl.arange(0, dim_block)
    place = tl.arange(0, block_size)
    is_head, is_feature = head < heads_of_one, feature < head_dim
    query_row = (sequence * kv_heads + kv_head) * heads_of_one + head
    asked = tl.load(
        query + query_row[:, None] * head_dim + feature[None, :], mask=is_head[:, None] & is_feature[None, :], other=0
    )
    total = tl.zeros((head_block, dim_block), tl.float32)
    best = tl.full((head_block,), float("-inf"), tl.float32)
    weight_sum = tl.zeros((head_block,), tl.float32)
    first = split * split_blocks
    last = tl.minimum(first + split_blocks, tl.cdiv(context, block_size))
    for index in range(first, last):
        block = tl.load(block_table + sequence * table_stride + index).to(tl.int64)
        cell = block * kv_heads + kv_head
        key = tl.load(
            keys + (cell * head_dim + feature[:, None]) * block_size + place[None, :],
            mask=is_feature[:, None],
            other=0,
        )
        value = tl.load(
            values + (cell * block_size + place[:, None]) * head_dim + feature[None, :],
            mask=is_feature[None, :],
            other=0,
        )
        if encoding is not None:
            key, value = whole_bytes(key, encoding), whole_bytes(value, encoding)
        key, value = key.to(asked.dtype), value.to(asked.dtype)
        is_told = index * block_size + place < context
        # What was never written may hold anything, which not even a weight of zero would hide.
        value = tl.where(is_told[:, None], value, 0.0).to(asked.dtype)
        scores = tl.dot(asked, key, input_precision="ieee") * scale
        if has_scales:
            scores *= tl.load(key_scales + cell * block_size + place, mask=is_told, other=0)[None, :]
        scores = tl.where(is_told[None, :], scores, float("-inf"))
        new_best = tl.maximum(best, tl.max(scores, axis=1))
        weights = tl.exp2(scores - new_best[:, None])
        faded = tl.exp2(best - new_best)
        weight_sum = weight_sum * faded + tl.sum(weights, axis=1)
        if has_scales:
            weights *= tl.load(value_scales + cell * block_size + place, mask=is_told, other=0)[None, :]
        total = total * faded[:, None] + tl.dot(weights.to(asked.dtype), value, input_precision="ieee")
        best = new_best
    slot = query_row * splits + split
    if first < last:
        tl.store(
            partial + slot[:, None].to(tl.int64) * head_dim + feature[None, :],
            total,
            mask=is_head[:, None] & is_feature[None, :],
        )
    tl.store(largest + slot, best, mask=is_head)
    tl.store(sums + slot, weight_sum, mask=is_head)


@triton.jit
def _join(partial, largest, sums, out, splits, head_dim: tl.constexpr, dim_block: tl.constexpr, at_once: tl.constexpr):
    """The pieces of one head: those past the end of a sequence have a largest score of minus infinity."""
    row = tl.program_id(0).to(tl.int64)
    feature = tl.arange(0, dim_block)
    piece = tl.arange(0, at_once)
    best = tl.max(tl.full((at_once,), float("-inf"), tl.float32), axis=0)
    for first in range(0, splits, at_once):
        scores = tl.load(largest + row * splits + first + piece, mask=first + piece < splits, other=float("-inf"))
        best = tl.maximum(best, tl.max(scores, axis=0))
    best = tl.where(best > float("-inf"), best, 0.0)
    total = tl.zeros((at_once, dim_block), tl.float32)
    weight_sum = tl.zeros((at_once,), tl.float32)
    for first in range(0, splits, at_once):
        is_piece = first + piece < splits
        slot = row * splits + first + piece
        scores = tl.load(largest + slot, mask=is_piece, other=float("-inf"))
        is_told = scores > float("-inf")
        weights = tl.exp2(scores - best)
        part = tl.load(
            partial + slot[:, None] * head_dim + feature[None, :],
            mask=is_told[:, None] & (feature < head_dim)[None, :],
            other=0,
        )
        total += part * weights[:, None]
        weight_sum += tl.load(sums + slot, mask=is_told, other=0) * weights
    weight = tl.sum(weight_sum, axis=0)
    # A row without a context, which fills a batch up to its size, comes to nothing.
    joined = tl.sum(total, axis=0) / tl.where(weight > 0, weight, 1.0)
    tl.store(out + row * head_dim + feature, joined.to(out.dtype.element_ty), mask=feature < head_dim)


def decode_attention(query: Tensor, cache: LayerCache, tables: PagedTables) -> Tensor:
    """See `ops.attend`, for a batch of one token of each sequence and a cache of any type but int4.

    Scores and sums are float32, what is multiplied has the type of the query.

    Args:
        query: `[sequences, heads, head_dim]`.
    """
    query = query.contiguous()
    sequences, heads, head_dim = query.shape
    kv_heads = cache.keys.shape[1]
    splits = triton.cdiv(blocks_for(tables.longest), _SPLIT_BLOCKS)
    partial, largest, sums = (
        torch.empty(sequences, heads, splits, *size, dtype=torch.float32, device=query.device)
        for size in ((head_dim,), (), ())
    )
    out = torch.empty_like(query)
    has_scales = cache.key_scales is not None
    dim_block = max(16, triton.next_power_of_2(head_dim))
    _attend[(sequences, kv_heads, splits)](
        query,
        cache.keys,
        cache.values,
        cache.key_scales if has_scales else largest,
        cache.value_scales if has_scales else largest,
        tables.block_table,
        tables.contexts,
        partial,
        largest,
        sums,
        tables.block_table.stride(0),
        kv_heads,
        splits,
        head_dim**-0.5 * math.log2(math.e),  # powers of two are what the units compute
        has_scales=has_scales,
        encoding=float8_name(query.device) if cache.kv_type is KVType.FP8 else None,
        heads_of_one=heads // kv_heads,
        head_block=max(_FEWEST_HEADS, triton.next_power_of_2(heads // kv_heads)),
        head_dim=head_dim,
        dim_block=dim_block,
        block_size=BLOCK_SIZE,
        split_blocks=_SPLIT_BLOCKS,
    )
    _join[(sequences * heads,)](
        partial, largest, sums, out, splits, head_dim=head_dim, dim_block=dim_block, at_once=_JOINED_AT_ONCE
    )
    return out
