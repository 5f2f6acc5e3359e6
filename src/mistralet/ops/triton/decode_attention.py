"""Attention of one new token of each sequence over its paged cache, split along the context.

Each program has one sequence, the query heads of one key head, and a piece of the context; what the pieces come to is
joined by their largest scores (as in Flash-Decoding, Dao et al. 2023).
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.ops.paged import BLOCK_SIZE, LayerCache, PagedBatch, blocks_for

_SPLIT_BLOCKS = 16  # of the cache, in a piece: 512 tokens
_FEWEST_HEADS = 16  # of a product on tensor cores


@triton.jit
def _attend(
    query,
    keys,
    values,
    key_scales,
    value_scales,
    tables,
    contexts,
    partial,
    largest,
    sums,
    table_length,
    kv_heads,
    splits,
    scale,
    has_scales: tl.constexpr,
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
    ).to(tl.float32)
    total = tl.zeros((head_block, dim_block), tl.float32)
    best = tl.full((head_block,), float("-inf"), tl.float32)
    weight_sum = tl.zeros((head_block,), tl.float32)
    first = split * split_blocks
    last = tl.minimum(first + split_blocks, tl.cdiv(context, block_size))
    for index in range(first, last):
        block = tl.load(tables + sequence * table_length + index).to(tl.int64)
        cell = block * kv_heads + kv_head
        key = tl.load(
            keys + (cell * head_dim + feature[:, None]) * block_size + place[None, :],
            mask=is_feature[:, None],
            other=0,
        ).to(tl.float32)
        value = tl.load(
            values + (cell * block_size + place[:, None]) * head_dim + feature[None, :],
            mask=is_feature[None, :],
            other=0,
        ).to(tl.float32)
        is_told = index * block_size + place < context
        # What was never written may hold anything, which not even a weight of zero would hide.
        value = tl.where(is_told[:, None], value, 0.0)
        scores = tl.dot(asked, key, input_precision="ieee") * scale
        if has_scales:
            scores *= tl.load(key_scales + cell * block_size + place, mask=is_told, other=0)[None, :]
            value *= tl.load(value_scales + cell * block_size + place, mask=is_told, other=0)[:, None]
        scores = tl.where(is_told[None, :], scores, float("-inf"))
        new_best = tl.maximum(best, tl.max(scores, axis=1))
        weights = tl.exp(scores - new_best[:, None])
        faded = tl.exp(best - new_best)
        total = total * faded[:, None] + tl.dot(weights, value, input_precision="ieee")
        weight_sum = weight_sum * faded + tl.sum(weights, axis=1)
        best = new_best
    slot = query_row * splits + split
    tl.store(
        partial + slot[:, None].to(tl.int64) * head_dim + feature[None, :],
        total,
        mask=is_head[:, None] & is_feature[None, :],
    )
    tl.store(largest + slot, best, mask=is_head)
    tl.store(sums + slot, weight_sum, mask=is_head)


def decode_attention(query: Tensor, cache: LayerCache, batch: PagedBatch) -> Tensor:
    """See `ops.attend`, for a batch of one token of each sequence and a cache of any type but int4.

    Args:
        query: `[sequences, heads, head_dim]`.
    """
    sequences, heads, head_dim = query.shape
    kv_heads = cache.keys.shape[1]
    device = query.device
    longest = max(span.context for span in batch.spans)
    table_length = blocks_for(longest)
    tables = torch.zeros(sequences, table_length, dtype=torch.int32)
    for row, span in zip(tables, batch.spans, strict=True):
        count = blocks_for(span.context)
        row[:count] = span.blocks[:count]
    contexts = torch.tensor([span.context for span in batch.spans], dtype=torch.int32)
    splits = triton.cdiv(table_length, _SPLIT_BLOCKS)
    partial = torch.empty(sequences, heads, splits, head_dim, dtype=torch.float32, device=device)
    largest, sums = (torch.empty(sequences, heads, splits, dtype=torch.float32, device=device) for _ in range(2))
    has_scales = cache.key_scales is not None
    _attend[(sequences, kv_heads, splits)](
        query.contiguous(),
        cache.keys,
        cache.values,
        cache.key_scales if has_scales else largest,
        cache.value_scales if has_scales else largest,
        tables.to(device),
        contexts.to(device),
        partial,
        largest,
        sums,
        table_length,
        kv_heads,
        splits,
        head_dim**-0.5,
        has_scales=has_scales,
        heads_of_one=heads // kv_heads,
        head_block=max(_FEWEST_HEADS, triton.next_power_of_2(heads // kv_heads)),
        head_dim=head_dim,
        dim_block=max(16, triton.next_power_of_2(head_dim)),
        block_size=BLOCK_SIZE,
        split_blocks=_SPLIT_BLOCKS,
    )
    # A piece past the end of a short sequence has a sum of zero and a largest score of minus infinity.
    weights = torch.exp(largest - largest.amax(-1, keepdim=True))
    joined = (partial * weights.unsqueeze(-1)).sum(-2) / (sums * weights).sum(-1, keepdim=True)
    return joined.to(query.dtype)
