"""Normalisation."""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.ops.gpu import gpu_kernels


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """`x / rms(x) * weight` over the last axis (Zhang & Sennrich 2019).

    Computed in float32 and rounded to the type of `x` before the weight is applied, as the reference does (SPEC 1.1).
    """
    kernels = gpu_kernels(x)
    if kernels is not None and x.dim() == 2:
        result: Tensor = kernels.rms_norm(x, weight, eps)
        return result
    wide = x.to(torch.float32)
    normed = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
    return normed.to(x.dtype) * weight
