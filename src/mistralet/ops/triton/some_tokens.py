"""Products of one token to a batch of them with a quantised matrix, on tensor cores.

What bounds them is how fast bytes come, if a thread does not spend too many operations on each weight: so a step is
long, and what is the same for a group is done once for it. A matrix with few rows is split along its columns, so that
enough programs read it at once; how, depends on the matrix alone. Partial sums are float32, and are added in order by a
second kernel.
"""

from __future__ import annotations

from enum import Enum
from math import gcd

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.ops.triton.codes import (
    asked_in_pairs,
    bytes_of,
    encoding_name,
    half_bytes,
    has_capability,
    int4_in_pairs,
    nf4_table,
    whole_bytes,
)
from mistralet.quant import Encoding, ScaledTensor

SOME = 128
_ROWS = 64  # of a program
_FEWEST_TOKENS = 16
_MOST_TOKENS = 64  # of a program
_LONGEST_STEP = 256  # columns, of few tokens
_STEP_OF_PAIRS = 128
_STEP_OF_MANY = 64  # of more than 16: what is summed up takes the registers
_SHORTEST_GROUP = 8  # columns
_SHORTEST_DOT = 16  # columns, of tensor cores
_PROGRAMS = 512  # for some programs on each of a large card's units
_FEWEST_COLUMNS = 512  # of a program


class Pairs(Enum):
    """How int4 codes are turned into weights two at a time."""

    ASSEMBLY = "assembly"  # of NVIDIA's cards, scales and weights in bfloat16
    PLAIN = "plain"  # in float32, to try the same order of columns in the interpreter


@triton.jit
def _with_halves(
    total, stored, asked, scale, base, table, encoding: tl.constexpr, in_pairs: tl.constexpr, by_assembly: tl.constexpr
):
    """`total` and the product with codes of half a byte: of the columns in one tensor, then of those in another."""
    rows: tl.constexpr = stored.shape[0]
    size: tl.constexpr = stored.shape[1] * stored.shape[2]
    tokens: tl.constexpr = asked.shape[0]
    if in_pairs:
        scale, _whole = tl.broadcast(scale, stored)
        base, _whole = tl.broadcast(base, stored)
        first, second = int4_in_pairs(stored, scale, base, by_assembly)
        first_asked, second_asked = asked_in_pairs(asked, tokens, size)
    else:
        first = half_bytes(stored & 15, table, encoding) * scale + base
        second = half_bytes(stored >> 4, table, encoding) * scale + base
        first_asked, second_asked = tl.split(tl.reshape(asked, (tokens, size, 2)))
    first = tl.reshape(first, (rows, size)).to(asked.dtype)
    second = tl.reshape(second, (rows, size)).to(asked.dtype)
    total = tl.dot(first, tl.trans(first_asked), total, input_precision="ieee")
    return tl.dot(second, tl.trans(second_asked), total, input_precision="ieee")


@triton.jit
def _some_tokens(
    x,
    codes,
    scales,
    offsets,
    table,
    onto,
    out,
    tokens,
    rows,
    columns,
    groups,
    group_size,
    columns_of_split,
    encoding: tl.constexpr,
    per_byte: tl.constexpr,
    in_pairs: tl.constexpr,
    by_assembly: tl.constexpr,
    has_groups: tl.constexpr,
    has_offsets: tl.constexpr,
    has_onto: tl.constexpr,
    block_tokens: tl.constexpr,
    block_rows: tl.constexpr,
    pieces: tl.constexpr,
    piece_bytes: tl.constexpr,
):
    """A step has some pieces, each of which lies within one group."""
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    token = tl.program_id(1) * block_tokens + tl.arange(0, block_tokens)
    split = tl.program_id(2)
    is_row, is_token = row < rows, token < tokens
    wide_row = tl.minimum(row, rows - 1).to(tl.int64)  # rows past the last are the last again
    step_bytes: tl.constexpr = pieces * piece_bytes
    step: tl.constexpr = step_bytes * per_byte
    piece = tl.arange(0, pieces)
    byte = tl.arange(0, piece_bytes)
    column = tl.arange(0, step)
    total = tl.zeros((block_rows, block_tokens), tl.float32)
    first = split * columns_of_split
    last = tl.minimum(first + columns_of_split, columns)
    for start in range(first, last, step):
        begin = start // per_byte + piece * piece_bytes
        is_piece = begin < last // per_byte
        here = wide_row[:, None, None] * (columns // per_byte) + (begin[:, None] + byte[None, :])[None, :, :]
        stored = tl.load(codes + here, mask=is_piece[None, :, None], other=0)
        asked = tl.load(
            x + token.to(tl.int64)[:, None] * columns + (start + column)[None, :],
            mask=is_token[:, None] & (start + column < last)[None, :],
            other=0,
        )
        scale = tl.full((block_rows, pieces, 1), 1.0, tl.float32)
        base = tl.zeros((block_rows, pieces, 1), tl.float32)
        if has_groups:
            group = wide_row[:, None] * groups + (begin * per_byte // group_size)[None, :]
            scale = tl.load(scales + group, mask=is_piece[None, :], other=0).to(tl.float32)[:, :, None]
            if has_offsets:
                base = tl.load(offsets + group, mask=is_piece[None, :], other=0).to(tl.float32)[:, :, None]
        if per_byte == 1:
            weights = whole_bytes(stored, encoding)
            if has_groups:
                weights = weights * scale + base
            weights = tl.reshape(weights, (block_rows, step)).to(asked.dtype)
            total = tl.dot(weights, tl.trans(asked), total, input_precision="ieee")
        else:
            total = _with_halves(total, stored, asked, scale, base, table, encoding, in_pairs, by_assembly)
    if not has_groups:
        total *= tl.load(scales + wide_row * groups).to(tl.float32)[:, None]
    kept = is_row[:, None] & is_token[None, :]
    place = (split * tokens + token.to(tl.int64))[None, :] * rows + row[:, None]
    if has_onto:
        total += tl.load(onto + place, mask=kept, other=0).to(tl.float32)
    tl.store(out + place, total.to(out.dtype.element_ty), mask=kept)


@triton.jit
def _add_up(partial, onto, out, size, splits, has_onto: tl.constexpr, block: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    is_there = place < size
    total = tl.zeros((block,), tl.float32)
    for split in range(0, splits):
        total += tl.load(partial + split * size + place, mask=is_there, other=0)
    if has_onto:
        total += tl.load(onto + place, mask=is_there, other=0).to(tl.float32)
    tl.store(out + place, total.to(out.dtype.element_ty), mask=is_there)


def multiplies_some(weight: ScaledTensor) -> bool:
    """Whether `some_tokens` can: groups and rows must have steps for tensor cores."""
    has_groups = weight.scales.shape[1] > 1
    shortest = _SHORTEST_DOT * weight.encoding.per_byte
    return gcd(weight.shape[1], shortest) == shortest and (not has_groups or weight.group_size % _SHORTEST_GROUP == 0)


def some_tokens(x: Tensor, weight: ScaledTensor, onto: Tensor | None) -> Tensor:
    """`x @ weight.T + onto`, products in the type of `x`, sums in float32.

    Args:
        x: contiguous, `[tokens, columns]`, in the order of the codes.
        weight: see `multiplies_some`.
    """
    tokens, (rows, columns) = x.shape[0], weight.shape
    per_byte, has_groups = weight.encoding.per_byte, weight.scales.shape[1] > 1 or weight.offsets is not None
    pairs = _pairs(x, weight)
    step = (_STEP_OF_PAIRS if pairs else _LONGEST_STEP) if tokens <= _FEWEST_TOKENS else _STEP_OF_MANY
    piece = gcd(weight.group_size, step)
    splits, columns_of_split = _splits(rows, columns)
    out = torch.empty(tokens, rows, dtype=x.dtype, device=x.device)
    target = out if splits == 1 else torch.empty(splits, tokens, rows, dtype=torch.float32, device=x.device)
    scales = weight.scales.contiguous()
    block_tokens = min(max(_FEWEST_TOKENS, triton.next_power_of_2(tokens)), _MOST_TOKENS)
    _some_tokens[(triton.cdiv(rows, _ROWS), triton.cdiv(tokens, block_tokens), splits)](
        x,
        bytes_of(weight),
        scales,
        scales if weight.offsets is None else weight.offsets.contiguous(),
        nf4_table(x.device),
        out if onto is None else onto,
        target,
        tokens,
        rows,
        columns,
        scales.shape[1],
        weight.group_size,
        columns_of_split,
        encoding=encoding_name(weight),
        per_byte=per_byte,
        in_pairs=pairs is not None,
        by_assembly=pairs is Pairs.ASSEMBLY,
        has_groups=has_groups,
        has_offsets=weight.offsets is not None,
        has_onto=onto is not None and splits == 1,
        block_tokens=block_tokens,
        block_rows=_ROWS,
        pieces=step // piece,
        piece_bytes=piece // per_byte,
        num_stages=3,
        # Two warps have more of a step's weights each, of which some work is done once; many tokens take the registers.
        num_warps=2 if pairs and tokens <= _FEWEST_TOKENS else 4,
    )
    if splits > 1:
        block = 1024
        _add_up[(triton.cdiv(out.numel(), block),)](
            target, out if onto is None else onto, out, out.numel(), splits, has_onto=onto is not None, block=block
        )
    return out


def _pairs(x: Tensor, weight: ScaledTensor) -> Pairs | None:
    """How codes are turned into weights two at a time, if they are: int4 in bfloat16, on NVIDIA's cards."""
    is_known = weight.encoding is Encoding.INT4 and x.dtype == torch.bfloat16
    return Pairs.ASSEMBLY if is_known and x.is_cuda and has_capability(x.device, 8, 0) else None


def _splits(rows: int, columns: int) -> tuple[int, int]:
    """Into how many pieces the columns are split, and how many of them a piece has."""
    wanted = max(1, min(_PROGRAMS // triton.cdiv(rows, _ROWS), columns // _FEWEST_COLUMNS))
    columns_of_split = triton.cdiv(triton.cdiv(columns, wanted), _LONGEST_STEP) * _LONGEST_STEP
    return triton.cdiv(columns, columns_of_split), columns_of_split
