"""Products of a batch's tokens with a quantised matrix, on tensor cores.

A matrix with few rows is split along its columns, so that enough programs read it at once; how, depends on the matrix
alone. Partial sums are float32, and are added in order by a second kernel.
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
_LONGEST_STEP = 128  # columns
SHORTEST_STEP = 16  # of tensor cores
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
    has_offsets: tl.constexpr,
    has_onto: tl.constexpr,
    block_tokens: tl.constexpr,
    block_rows: tl.constexpr,
    step: tl.constexpr,
):
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    token = tl.program_id(1) * block_tokens + tl.arange(0, block_tokens)
    split = tl.program_id(2)
    is_row, is_token = row < rows, token < tokens
    wide_row = row.to(tl.int64)[:, None]
    byte = tl.arange(0, step // per_byte)
    column = tl.arange(0, step)
    total = tl.zeros((block_rows, block_tokens), tl.float32)
    first = split * columns_of_split
    for start in range(first, tl.minimum(first + columns_of_split, columns), step):
        here = wide_row * (columns // per_byte) + (start // per_byte + byte)[None, :]
        stored = tl.load(codes + here, mask=is_row[:, None], other=0)
        scale = tl.load(scales + wide_row * groups + start // group_size, mask=is_row[:, None], other=0)
        if per_byte == 2:
            low, high = half_bytes(stored & 15, table, encoding), half_bytes(stored >> 4, table, encoding)
            weights = tl.reshape(tl.join(low, high), (block_rows, step))
        else:
            weights = whole_bytes(stored, encoding)
        weights *= scale.to(tl.float32)
        if has_offsets:
            base = tl.load(offsets + wide_row * groups + start // group_size, mask=is_row[:, None], other=0)
            weights += base.to(tl.float32)
        asked = tl.load(
            x + token.to(tl.int64)[:, None] * columns + (start + column)[None, :], mask=is_token[:, None], other=0
        )
        total += tl.dot(weights.to(asked.dtype), tl.trans(asked), input_precision="ieee")
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


def some_tokens(x: Tensor, weight: ScaledTensor, onto: Tensor | None) -> Tensor:
    """`x @ weight.T + onto`, products in the type of `x`, sums in float32.

    Args:
        x: contiguous, `[tokens, columns]`, in the order of the codes.
        weight: of groups of a multiple of `SHORTEST_STEP` weights.
    """
    tokens, (rows, columns) = x.shape[0], weight.shape
    step = step_of(weight)
    splits, columns_of_split = _splits(rows, columns, step)
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
        per_byte=2 if weight.encoding.is_half_byte else 1,
        has_offsets=weight.offsets is not None,
        has_onto=onto is not None and splits == 1,
        block_tokens=block_tokens,
        block_rows=_ROWS,
        step=step,
        num_stages=4,
    )
    if splits > 1:
        block = 1024
        _add_up[(triton.cdiv(out.numel(), block),)](
            target, out if onto is None else onto, out, out.numel(), splits, has_onto=onto is not None, block=block
        )
    return out


def step_of(weight: ScaledTensor) -> int:
    """Columns of a step, which never leaves a group: the largest power of two that divides it, up to a bound."""
    return gcd(weight.group_size, _LONGEST_STEP)


def _splits(rows: int, columns: int, step: int) -> tuple[int, int]:
    """Into how many pieces the columns are split, and how many of them a piece has."""
    wanted = max(1, min(_PROGRAMS // triton.cdiv(rows, _ROWS), columns // _FEWEST_COLUMNS))
    columns_of_split = triton.cdiv(triton.cdiv(columns, wanted), step) * step
    return triton.cdiv(columns, columns_of_split), columns_of_split
