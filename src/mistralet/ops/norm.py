"""Normalisation."""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.ops.few_tokens import kernels_for


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`x / rms(x) * weight` over the last axis (Zhang & Sennrich 2019).

    Computed in float32 and rounded to the type of `x` before the weight is applied, as the reference does (SPEC 1.1).
    """
    kernels = kernels_for(x, weight)
    if kernels is not None:
        out = torch.empty_like(x)
        size = x.shape[-1]
        kernels.rms_norm(x.data_ptr(), weight.data_ptr(), eps, x.numel() // size, size, out.data_ptr())
        return out
    wide = x.to(torch.float32)
    normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return normed.to(x.dtype) * weight
