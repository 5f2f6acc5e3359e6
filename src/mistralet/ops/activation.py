"""Activations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mistralet.ops.few_tokens import kernels_for


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """`silu(gate) * up`, element by element (Shazeer 2020, "GLU Variants Improve Transformer")."""
    kernels = kernels_for(gate, up)
    if kernels is not None:
        out = torch.empty_like(gate)
        kernels.swiglu(gate.data_ptr(), up.data_ptr(), gate.numel(), out.data_ptr())
        return out
    return F.silu(gate).mul_(up)


def gelu(x: Tensor) -> Tensor:
    """The exact GELU, through the error function; the tanh approximation differs by up to 5e-4 (SPEC 2.3)."""
    return F.gelu(x)
