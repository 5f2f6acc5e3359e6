"""RMS normalisation in one pass."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _rms_norm(x, weight, out, size, eps, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, block)
    is_there = place < size
    wide = tl.load(x + row * size + place, mask=is_there, other=0).to(tl.float32)
    scale = 1 / tl.sqrt(tl.sum(wide * wide, axis=0) / size + eps)
    normed = (wide * scale).to(out.dtype.element_ty).to(tl.float32)
    weighted = normed * tl.load(weight + place, mask=is_there, other=0).to(tl.float32)
    tl.store(out + row * size + place, weighted.to(out.dtype.element_ty), mask=is_there)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """See `ops.rms_norm`: `[tokens, size]` to the same, rounded to the type of `x` before the weight is applied."""
    x = x.contiguous()
    out = torch.empty_like(x)
    tokens, size = x.shape
    if tokens:
        _rms_norm[(tokens,)](x, weight, out, size, eps, block=triton.next_power_of_2(size))
    return out
