"""Products of one token to a batch of them with a quantised matrix, on tensor cores.

What bounds them is how fast bytes come, if a thread does not spend too many operations on each weight: so a step is
long, and what is the same for a group is done once for it. A matrix with few rows is split along its columns, so that
enough programs read it at once; how, depends on the matrix alone. Partial sums are float32, and are added in order by a
second kernel.
"""

from __future__ import annotations

from math import gcd

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.ops.triton.codes import bytes_of, encoding_name, half_bytes, nf4_table, whole_bytes
from mistralet.quant import ScaledTensor

SOME = 128
_ROWS = 64  # of a program
_FEWEST_TOKENS = 16
_MOST_TOKENS = 64  # of a program
_LONGEST_STEP = 256  # columns, of few tokens
_STEP_OF_MANY = 64  # of more than 16: what is summed up takes the registers
_SHORTEST_GROUP = 8  # columns
_SHORTEST_DOT = 16  # columns, of tensor cores
_PROGRAMS = 512  # for some programs on each of a large card's units
_FEWEST_COLUMNS = 512  # of a program


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
        if per_byte == 2:
            low, high = half_bytes(stored & 15, table, encoding), half_bytes(stored >> 4, table, encoding)
        else:
            low, high = whole_bytes(stored, encoding), 0.0
        if has_groups:
            group = wide_row[:, None] * groups + (begin * per_byte // group_size)[None, :]
            scale = tl.load(scales + group, mask=is_piece[None, :], other=0).to(tl.float32)[:, :, None]
            low, high = low * scale, high * scale
            if has_offsets:
                base = tl.load(offsets + group, mask=is_piece[None, :], other=0).to(tl.float32)[:, :, None]
                low, high = low + base, high + base
        weights = tl.reshape(low, (block_rows, step_bytes)).to(asked.dtype)
        if per_byte == 2:
            even, odd = tl.split(tl.reshape(asked, (block_tokens, step_bytes, 2)))
            total = tl.dot(weights, tl.trans(even), total, input_precision="ieee")
            weights = tl.reshape(high, (block_rows, step_bytes)).to(asked.dtype)
            total = tl.dot(weights, tl.trans(odd), total, input_precision="ieee")
        else:
            total = tl.dot(weights, tl.trans(asked), total, input_precision="ieee")
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
    per_byte = _per_byte(weight)
    has_groups = weight.scales.shape[1] > 1
    shortest = _SHORTEST_DOT * per_byte
    return gcd(weight.shape[1], shortest) == shortest and (not has_groups or weight.group_size % _SHORTEST_GROUP == 0)


def some_tokens(x: Tensor, weight: ScaledTensor, onto: Tensor | None) -> Tensor:
    """`x @ weight.T + onto`, products in the type of `x`, sums in float32.

    Args:
        x: contiguous, `[tokens, columns]`, in the order of the codes.
        weight: see `multiplies_some`.
    """
    tokens, (rows, columns) = x.shape[0], weight.shape
    per_byte, has_groups = _per_byte(weight), weight.scales.shape[1] > 1 or weight.offsets is not None
    step = _LONGEST_STEP if tokens <= _FEWEST_TOKENS else _STEP_OF_MANY
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
        has_groups=has_groups,
        has_offsets=weight.offsets is not None,
        has_onto=onto is not None and splits == 1,
        block_tokens=block_tokens,
        block_rows=_ROWS,
        pieces=step // piece,
        piece_bytes=piece // per_byte,
        num_stages=3,
    )
    if splits > 1:
        block = 1024
        _add_up[(triton.cdiv(out.numel(), block),)](
            target, out if onto is None else onto, out, out.numel(), splits, has_onto=onto is not None, block=block
        )
    return out


def _per_byte(weight: ScaledTensor) -> int:
    return 2 if weight.encoding.is_half_byte else 1


def _splits(rows: int, columns: int) -> tuple[int, int]:
    """Into how many pieces the columns are split, and how many of them a piece has."""
    wanted = max(1, min(_PROGRAMS // triton.cdiv(rows, _ROWS), columns // _FEWEST_COLUMNS))
    columns_of_split = triton.cdiv(triton.cdiv(columns, wanted), _LONGEST_STEP) * _LONGEST_STEP
    return triton.cdiv(columns, columns_of_split), columns_of_split
