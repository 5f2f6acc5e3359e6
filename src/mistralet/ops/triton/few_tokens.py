"""Products of up to four tokens with a quantised matrix, bound by how fast its bytes come.

A program has a few rows and all of their columns; each of its threads reads 16 neighbouring bytes of every row, so that
activations are read once for them all. Codes are multiplied by activations first, and sums over groups by their scale.
"""

from __future__ import annotations

from math import gcd

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.ops.triton.codes import bytes_of, encoding_name, half_bytes, nf4_table, whole_bytes
from mistralet.quant import ScaledTensor

FEW = 4
_ROWS = 4  # of a program
_WARP_BYTES = 512  # of a row, read at once by a warp
_FEW_ROWS = 16384  # below so many, two warps share a row: else too few bytes are on their way
_LONGEST_PIECE = 128  # bytes of a group that are summed at once


@triton.jit
def _few_tokens(
    x,
    codes,
    scales,
    offsets,
    table,
    onto,
    out,
    tokens,
    rows,
    row_bytes,
    groups,
    group_bytes,
    encoding: tl.constexpr,
    per_byte: tl.constexpr,
    has_offsets: tl.constexpr,
    has_onto: tl.constexpr,
    block_tokens: tl.constexpr,
    block_rows: tl.constexpr,
    pieces: tl.constexpr,
    piece_bytes: tl.constexpr,
):
    row = tl.program_id(0) * block_rows + tl.arange(0, block_rows)
    is_row = row < rows
    wide_row = row.to(tl.int64)[:, None, None]
    piece = tl.arange(0, pieces)
    byte = tl.arange(0, piece_bytes)
    column = tl.arange(0, per_byte * piece_bytes)
    token = tl.arange(0, block_tokens)[:, None, None]
    total = tl.zeros((block_tokens, block_rows, pieces), tl.float32)
    columns = row_bytes * per_byte
    for start in range(0, row_bytes, pieces * piece_bytes):
        first = start + piece * piece_bytes
        is_piece = first < row_bytes
        here = first[:, None] + byte[None, :]
        is_there = is_row[:, None, None] & is_piece[None, :, None]
        stored = tl.load(codes + wide_row * row_bytes + here[None, :, :], mask=is_there, other=0)
        group = row.to(tl.int64)[:, None] * groups + (first // group_bytes)[None, :]
        scale = tl.load(scales + group, mask=is_row[:, None] & is_piece[None, :], other=0).to(tl.float32)
        base = tl.zeros((block_rows, pieces), tl.float32)
        if has_offsets:
            base = tl.load(offsets + group, mask=is_row[:, None] & is_piece[None, :], other=0).to(tl.float32)
        for t in tl.static_range(block_tokens):
            is_asked = is_piece & (piece * 0 + t < tokens)
            here_asked = t * columns + first[:, None] * per_byte + column[None, :]
            asked = tl.load(x + here_asked, mask=is_asked[:, None], other=0).to(tl.float32)
            summed = tl.sum(asked, axis=1)
            if per_byte == 2:
                even, odd = tl.split(tl.reshape(asked, (pieces, piece_bytes, 2)))
                products = half_bytes(stored & 15, table, encoding) * even[None, :, :]
                products += half_bytes(stored >> 4, table, encoding) * odd[None, :, :]
            else:
                products = whole_bytes(stored, encoding) * asked[None, :, :]
            part = tl.sum(products, axis=2) * scale + base * summed[None, :]
            total += tl.where(token == t, part[None, :, :], 0.0)
    sums = tl.sum(total, axis=2)
    place = tl.arange(0, block_tokens)[:, None] * rows + row[None, :]
    kept = (tl.arange(0, block_tokens)[:, None] < tokens) & is_row[None, :]
    if has_onto:
        sums += tl.load(onto + place, mask=kept, other=0).to(tl.float32)
    tl.store(out + place, sums.to(out.dtype.element_ty), mask=kept)


def few_tokens(x: Tensor, weight: ScaledTensor, onto: Tensor | None) -> Tensor:
    """`x @ weight.T + onto`, weights and sums in float32; up to `FEW` tokens.

    Args:
        x: contiguous, `[tokens, columns]`, in the order of the codes.
        weight: of groups of an even number of weights.
    """
    tokens, (rows, columns) = x.shape[0], weight.shape
    out = torch.empty(tokens, rows, dtype=x.dtype, device=x.device)
    per_byte = 2 if weight.encoding.is_half_byte else 1
    group_bytes, row_bytes = weight.group_size // per_byte, columns // per_byte
    # Whole pieces only: the largest power of two that divides a group.
    piece_bytes = gcd(group_bytes, _LONGEST_PIECE)
    warps = 2 if rows < _FEW_ROWS else 1
    pieces = max(1, min(_WARP_BYTES * warps, triton.next_power_of_2(row_bytes)) // piece_bytes)
    scales = weight.scales.contiguous()
    block_rows = _ROWS if tokens == 1 else _ROWS // 2  # what is summed up lies in registers
    _few_tokens[(triton.cdiv(rows, block_rows),)](
        x,
        bytes_of(weight),
        scales,
        scales if weight.offsets is None else weight.offsets.contiguous(),
        nf4_table(x.device),
        out if onto is None else onto,
        out,
        tokens,
        rows,
        row_bytes,
        scales.shape[1],
        group_bytes,
        encoding=encoding_name(weight),
        per_byte=per_byte,
        has_offsets=weight.offsets is not None,
        has_onto=onto is not None,
        block_tokens=triton.next_power_of_2(tokens),
        block_rows=block_rows,
        pieces=pieces,
        piece_bytes=piece_bytes,
        num_warps=warps,
    )
    return out
