"""SwiGLU in one pass."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 1024


@triton.jit
def _swiglu(gate, up, out, size, gate_stride, up_stride, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * block + tl.arange(0, block)
    is_there = place < size
    opened = tl.load(gate + row * gate_stride + place, mask=is_there, other=0).to(tl.float32)
    passed = tl.load(up + row * up_stride + place, mask=is_there, other=0).to(tl.float32)
    # Rounded before the product, as PyTorch does between its two operations.
    silu = (opened / (1 + tl.exp(-opened))).to(out.dtype.element_ty).to(tl.float32)
    tl.store(out + row * size + place, (silu * passed).to(out.dtype.element_ty), mask=is_there)


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """See `ops.swiglu`: `[tokens, size]` each, rows may lie apart."""
    tokens, size = gate.shape
    out = torch.empty(tokens, size, dtype=gate.dtype, device=gate.device)
    if tokens:
        grid = (tokens, triton.cdiv(size, _BLOCK))
        _swiglu[grid](gate, up, out, size, gate.stride(0), up.stride(0), block=_BLOCK)
    return out
