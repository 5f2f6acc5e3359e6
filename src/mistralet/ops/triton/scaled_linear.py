"""Products with a `ScaledTensor` as it lies: of a few tokens bound by memory, of many by tensor cores.

A step along the columns never leaves a group of weights, so that a row has one scale and one offset in it. Of codes
that share a byte, the low halves belong to the even columns and the high ones to the odd: the two are multiplied by the
even and by the odd activations, and no code is moved.
"""

from __future__ import annotations

from math import gcd

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.quant import NF4_VALUES, Encoding, ScaledTensor

_FEW = 8  # tokens, up to which weights are multiplied on the fly
_ROWS = 64  # of weights, for a program
_TOKENS = 64
_LONGEST_STEP = 256  # columns
_SHORTEST_STEP = 32  # of tensor cores: 16 columns of each half of a byte


@triton.jit
def _values(codes, table, half: tl.constexpr, has_table: tl.constexpr, is_high: tl.constexpr):
    """The values of codes: of one half of each byte, or of whole bytes."""
    if half:
        numbers = ((codes >> 4) if is_high else (codes & 15)).to(tl.int32)
        if has_table:
            return tl.load(table + numbers)
        return (numbers - 8).to(tl.float32)
    return codes.to(tl.float32)


@triton.jit
def _few_tokens(
    x,
    codes,
    scales,
    offsets,
    table,
    out,
    tokens,
    rows,
    columns,
    groups,
    group_size,
    half: tl.constexpr,
    has_table: tl.constexpr,
    has_offsets: tl.constexpr,
    block_tokens: tl.constexpr,
    block_rows: tl.constexpr,
    step: tl.constexpr,
):
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    is_row = row < rows
    there = tl.minimum(row, rows - 1).to(tl.int64)  # rows past the last are the last again: float8 takes no mask
    per_byte: tl.constexpr = 2 if half else 1
    place = tl.arange(0, step // per_byte)
    token = tl.arange(0, block_tokens)
    total = tl.zeros((block_tokens, block_rows), tl.float32)
    row_bytes = columns // per_byte
    for start in range(0, columns, step):
        byte = start // per_byte + place
        stored = tl.load(codes + there[:, None] * row_bytes + byte[None, :])
        scale = tl.load(scales + row * groups + start // group_size, mask=is_row, other=0).to(tl.float32)
        base = tl.zeros((block_rows,), tl.float32)
        if has_offsets:
            base = tl.load(offsets + row * groups + start // group_size, mask=is_row, other=0).to(tl.float32)
        for t in tl.static_range(block_tokens):
            here = (start + place * per_byte) + t * columns
            even = tl.load(x + here, mask=place * 0 + t < tokens, other=0).to(tl.float32)
            part = tl.sum(_values(stored, table, half, has_table, False) * even[None, :], axis=1)
            summed = tl.sum(even, axis=0)
            if half:
                odd = tl.load(x + here + 1, mask=place * 0 + t < tokens, other=0).to(tl.float32)
                part += tl.sum(_values(stored, table, half, has_table, True) * odd[None, :], axis=1)
                summed += tl.sum(odd, axis=0)
            total += tl.where(token[:, None] == t, (scale * part + base * summed)[None, :], 0.0)
    kept = (token[:, None] < tokens) & is_row[None, :]
    tl.store(out + token[:, None] * rows + row[None, :], total.to(out.dtype.element_ty), mask=kept)


@triton.jit
def _many_tokens(
    x,
    codes,
    scales,
    offsets,
    table,
    out,
    tokens,
    rows,
    columns,
    groups,
    group_size,
    half: tl.constexpr,
    has_table: tl.constexpr,
    has_offsets: tl.constexpr,
    block_tokens: tl.constexpr,
    block_rows: tl.constexpr,
    step: tl.constexpr,
):
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    token = tl.program_id(1) * block_tokens + tl.arange(0, block_tokens)
    is_row, is_token = row < rows, token < tokens
    there = tl.minimum(row, rows - 1).to(tl.int64)  # see above
    per_byte: tl.constexpr = 2 if half else 1
    place = tl.arange(0, step // per_byte)
    total = tl.zeros((block_tokens, block_rows), tl.float32)
    row_bytes = columns // per_byte
    for start in range(0, columns, step):
        byte = start // per_byte + place
        stored = tl.load(codes + there[:, None] * row_bytes + byte[None, :])
        scale = tl.load(scales + row * groups + start // group_size, mask=is_row, other=0).to(tl.float32)
        base = tl.zeros((block_rows,), tl.float32)
        if has_offsets:
            base = tl.load(offsets + row * groups + start // group_size, mask=is_row, other=0).to(tl.float32)
        here = token[:, None].to(tl.int64) * columns + start + place[None, :] * per_byte
        even = tl.load(x + here, mask=is_token[:, None], other=0)
        weights = _values(stored, table, half, has_table, False) * scale[:, None] + base[:, None]
        total += tl.dot(even, tl.trans(weights.to(even.dtype)), input_precision="ieee")
        if half:
            odd = tl.load(x + here + 1, mask=is_token[:, None], other=0)
            weights = _values(stored, table, half, has_table, True) * scale[:, None] + base[:, None]
            total += tl.dot(odd, tl.trans(weights.to(odd.dtype)), input_precision="ieee")
    kept = is_token[:, None] & is_row[None, :]
    tl.store(out + token[:, None].to(tl.int64) * rows + row[None, :], total.to(out.dtype.element_ty), mask=kept)


def scaled_linear(x: Tensor, weight: ScaledTensor) -> Tensor:
    """`x @ weight.T`, `[tokens, columns]` to `[tokens, rows]`, sums in float32.

    Few tokens are multiplied with weights in float32, many with weights in the type of `x`.
    """
    rows, columns = weight.shape
    tokens = x.shape[0]
    if weight.order is not None:
        x = x[:, weight.order]
    x = x.contiguous()
    out = torch.empty(tokens, rows, dtype=x.dtype, device=x.device)
    if not tokens:
        return out
    is_few = tokens <= _FEW
    step = _step(columns, weight.group_size, _LONGEST_STEP)
    if step < (2 if is_few else _SHORTEST_STEP):
        return x @ weight.dequantize().to(x.dtype).T  # groups no kernel has a step for
    scales, offsets = weight.scales.contiguous(), weight.offsets
    arguments = (x, weight.codes, scales, scales if offsets is None else offsets.contiguous(), _table(x.device), out)
    sizes = (tokens, rows, columns, scales.shape[1], weight.group_size)
    shape = {
        "half": weight.encoding.is_half_byte,
        "has_table": weight.encoding is Encoding.NF4,
        "has_offsets": offsets is not None,
        "block_rows": _ROWS,
        "step": step,
    }
    if is_few:
        _few_tokens[(triton.cdiv(rows, _ROWS),)](
            *arguments, *sizes, block_tokens=triton.next_power_of_2(tokens), **shape
        )
    else:
        grid = (triton.cdiv(rows, _ROWS), triton.cdiv(tokens, _TOKENS))
        _many_tokens[grid](*arguments, *sizes, block_tokens=_TOKENS, **shape)
    return out


def _step(columns: int, group_size: int, longest: int) -> int:
    """The largest power of two that divides a group, up to a bound; the columns of a step."""
    return gcd(gcd(columns, group_size), longest)


def _table(device: torch.device) -> Tensor:
    return torch.tensor(NF4_VALUES, device=device)
