"""When a decoding step takes the native form of a small operation.

With a handful of tokens PyTorch spends longer on calling an operation than on doing it, and its idle threads stand in
the way of the kernels' own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.native import kernels

_FEW = 8  # tokens


def is_for_native(x: Tensor, *operands: Tensor) -> bool:
    """Whether `x` (`[tokens, ...]`) is of few tokens, there are kernels, and they can read all tensors as they lie.

    The kernels take addresses: contiguous float32 (rotations: complex64) on the CPU.
    """
    return kernels is not None and x.shape[0] <= _FEW and all(map(_is_readable, (x, *operands)))


def _is_readable(x: Tensor) -> bool:
    return x.dtype in (torch.float32, torch.complex64) and x.device.type == "cpu" and x.is_contiguous()
