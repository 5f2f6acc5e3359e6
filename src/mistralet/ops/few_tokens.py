"""When a decoding step takes the native form of a small operation.

With a handful of tokens PyTorch spends longer on calling an operation than on doing it, and its idle threads stand in
the way of the kernels' own.
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from mistralet.native import kernels

_FEW = 8  # tokens


def kernels_for(x: Tensor, *operands: Tensor) -> ModuleType | None:
    """The kernels, if there are any, `x` (`[tokens, ...]`) is of few tokens, and they can read all tensors as they lie.

    They take addresses: contiguous float32 (rotations: complex64) on the CPU.
    """
    return kernels if x.shape[0] <= _FEW and all(map(_is_readable, (x, *operands))) else None


def _is_readable(x: Tensor) -> bool:
    return x.dtype in (torch.float32, torch.complex64) and x.device.type == "cpu" and x.is_contiguous()
