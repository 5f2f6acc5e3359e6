"""Activations."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mistralet.ops.gpu import gpu_kernels


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """`silu(gate) * up`, element by element (Shazeer 2020, "GLU Variants Improve Transformer")."""
    kernels = gpu_kernels(gate)
    if kernels is not None:
        result: Tensor = kernels.swiglu(gate, up)
        return result
    return F.silu(gate) * up


def gelu(x: Tensor) -> Tensor:
    """The exact GELU, through the error function; the tanh approximation differs by up to 5e-4 (SPEC 2.3)."""
    return F.gelu(x)
