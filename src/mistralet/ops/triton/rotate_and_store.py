"""Rotation of queries and keys, and the way of keys and values into the cache, in one pass."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.ops.paged import BLOCK_SIZE, LARGEST_CODES, LEAST_SCALED, LayerCache, PagedTables
from mistralet.ops.triton.codes import float8_bytes

_ROUNDS = 12582912.0  # 1.5 * 2^23: what is added to it has no fraction left, halves go to even numbers


@triton.jit
def _turned(x, cosine, sine, is_pair, pair):
    """The two halves of turned pairs, `[pairs]` each."""
    even = tl.load(x + 2 * pair, mask=is_pair, other=0).to(tl.float32)
    odd = tl.load(x + 2 * pair + 1, mask=is_pair, other=0).to(tl.float32)
    return even * cosine - odd * sine, even * sine + odd * cosine


@triton.jit
def _scale(even, odd, largest_code, least):
    """What codes of one head's features are multiplied by, and what brings them back."""
    largest = tl.maximum(tl.max(tl.abs(even), axis=0), tl.max(tl.abs(odd), axis=0))
    return tl.where(largest > least, largest_code / tl.maximum(largest, least), 0.0), largest / largest_code


@triton.jit
def _as_stored(x, stored_type: tl.constexpr, rounds: tl.constexpr):
    """As a cache has it: bytes of float8, whole numbers, or floats."""
    if stored_type == tl.uint8:
        return float8_bytes(x)
    elif stored_type == tl.int8:  # noqa: RET505  (what follows a return is compiled, too)
        return ((x + rounds) - rounds).to(tl.int8)
    else:
        return x.to(stored_type)


@triton.jit
def _rotate_and_store(
    query,
    key,
    value,
    rotations,
    slots,
    out,
    keys,
    values,
    key_scales,
    value_scales,
    query_stride,
    key_stride,
    value_stride,
    heads: tl.constexpr,
    kv_heads: tl.constexpr,
    head_dim: tl.constexpr,
    pair_block: tl.constexpr,
    block_size: tl.constexpr,
    has_scales: tl.constexpr,
    largest_code: tl.constexpr,
    least: tl.constexpr,
    rounds: tl.constexpr,
):
    token, head = tl.program_id(0).to(tl.int64), tl.program_id(1)
    pair = tl.arange(0, pair_block)
    is_pair = pair < head_dim // 2
    angle = rotations + token * head_dim
    cosine = tl.load(angle + 2 * pair, mask=is_pair, other=0)
    sine = tl.load(angle + 2 * pair + 1, mask=is_pair, other=0)
    if head < heads:
        even, odd = _turned(query + token * query_stride + head * head_dim, cosine, sine, is_pair, pair)
        row = out + (token * heads + head) * head_dim
        tl.store(row + 2 * pair, even.to(out.dtype.element_ty), mask=is_pair)
        tl.store(row + 2 * pair + 1, odd.to(out.dtype.element_ty), mask=is_pair)
    else:
        slot = tl.load(slots + token)
        if slot >= 0:
            kv_head = head - heads
            cell, place = slot // block_size * kv_heads + kv_head, slot % block_size
            even, odd = _turned(key + token * key_stride + kv_head * head_dim, cosine, sine, is_pair, pair)
            # To the precision of the model first, as where keys are turned and stored by two operations.
            even = even.to(key.dtype.element_ty).to(tl.float32)
            odd = odd.to(key.dtype.element_ty).to(tl.float32)
            source = value + token * value_stride + kv_head * head_dim
            value_even = tl.load(source + 2 * pair, mask=is_pair, other=0).to(tl.float32)
            value_odd = tl.load(source + 2 * pair + 1, mask=is_pair, other=0).to(tl.float32)
            if has_scales:
                factor, scale = _scale(even, odd, largest_code, least)
                tl.store(key_scales + cell * block_size + place, scale)
                even, odd = even * factor, odd * factor
                factor, scale = _scale(value_even, value_odd, largest_code, least)
                tl.store(value_scales + cell * block_size + place, scale)
                value_even, value_odd = value_even * factor, value_odd * factor
            target = keys + cell * head_dim * block_size + place
            tl.store(target + 2 * pair * block_size, _as_stored(even, keys.dtype.element_ty, rounds), mask=is_pair)
            tl.store(target + (2 * pair + 1) * block_size, _as_stored(odd, keys.dtype.element_ty, rounds), mask=is_pair)
            target = values + (cell * block_size + place) * head_dim
            tl.store(target + 2 * pair, _as_stored(value_even, values.dtype.element_ty, rounds), mask=is_pair)
            tl.store(target + 2 * pair + 1, _as_stored(value_odd, values.dtype.element_ty, rounds), mask=is_pair)


def rotate_and_store(
    query: Tensor, key: Tensor, value: Tensor, rotations: Tensor, cache: LayerCache, tables: PagedTables
) -> Tensor:
    """See `ops.rotate_and_store`, for a cache of any type but int4.

    Args:
        query, key, value: as there; tokens may lie apart, a token's heads lie side by side.
    """
    tokens, heads, head_dim = query.shape
    kv_heads = key.shape[1]
    out = torch.empty(tokens, heads, head_dim, dtype=query.dtype, device=query.device)
    if not tokens:
        return out
    has_scales = cache.key_scales is not None
    _rotate_and_store[(tokens, heads + kv_heads)](
        query,
        key,
        value,
        torch.view_as_real(rotations),
        tables.slots,
        out,
        cache.keys,
        cache.values,
        cache.key_scales if has_scales else out,
        cache.value_scales if has_scales else out,
        query.stride(0),
        key.stride(0),
        value.stride(0),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        pair_block=triton.next_power_of_2(head_dim // 2),
        block_size=BLOCK_SIZE,
        has_scales=has_scales,
        largest_code=LARGEST_CODES.get(cache.kv_type, 1.0),
        least=LEAST_SCALED,
        rounds=_ROUNDS,
        num_warps=1 if head_dim <= 128 else 4,
    )
    return out
