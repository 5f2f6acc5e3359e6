"""Quantised weights turned into floats in one pass, for products that arithmetic bounds."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.ops.triton.codes import bytes_of, encoding_name, half_bytes, nf4_table, whole_bytes
from mistralet.quant import ScaledTensor

_BYTES = 1024  # of a program


@triton.jit
def _dequantize(
    codes,
    scales,
    offsets,
    table,
    out,
    row_bytes,
    groups,
    group_bytes,
    encoding: tl.constexpr,
    per_byte: tl.constexpr,
    has_offsets: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    byte = tl.program_id(1) * block + tl.arange(0, block)
    is_there = byte < row_bytes
    stored = tl.load(codes + row * row_bytes + byte, mask=is_there, other=0)
    group = row * groups + byte // group_bytes
    scale = tl.load(scales + group, mask=is_there, other=0).to(tl.float32)
    base = tl.zeros((block,), tl.float32)
    if has_offsets:
        base = tl.load(offsets + group, mask=is_there, other=0).to(tl.float32)
    target = out + (row * row_bytes + byte) * per_byte
    if per_byte == 2:
        low = half_bytes(stored & 15, table, encoding) * scale + base
        high = half_bytes(stored >> 4, table, encoding) * scale + base
        tl.store(target, low.to(out.dtype.element_ty), mask=is_there)
        tl.store(target + 1, high.to(out.dtype.element_ty), mask=is_there)
    else:
        weights = whole_bytes(stored, encoding) * scale + base
        tl.store(target, weights.to(out.dtype.element_ty), mask=is_there)


def dequantize(weight: ScaledTensor, dtype: torch.dtype) -> Tensor:
    """The weights `[rows, columns]`, columns in the order of the codes.

    Args:
        weight: of groups of an even number of weights.
    """
    rows, columns = weight.shape
    out = torch.empty(rows, columns, dtype=dtype, device=weight.device)
    per_byte = weight.encoding.per_byte
    scales = weight.scales.contiguous()
    _dequantize[(rows, triton.cdiv(columns // per_byte, _BYTES))](
        bytes_of(weight),
        scales,
        scales if weight.offsets is None else weight.offsets.contiguous(),
        nf4_table(weight.device),
        out,
        columns // per_byte,
        scales.shape[1],
        weight.group_size // per_byte,
        encoding=encoding_name(weight),
        per_byte=per_byte,
        has_offsets=weight.offsets is not None,
        block=_BYTES,
    )
    return out
