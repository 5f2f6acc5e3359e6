"""When a decoding step takes the native form of a small operation.

With a handful of tokens PyTorch spends longer on calling an operation than on doing it, and its idle threads stand in
the way of the kernels' own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.native import kernels

_FEW = 8  # tokens


def is_for_native(x: Tensor) -> bool:
    """Whether `x` (`[tokens, ...]`) is float32 on the CPU, contiguous and of few tokens, and there are kernels."""
    return (
        kernels is not None
        and x.shape[0] <= _FEW
        and x.dtype == torch.float32
        and x.device.type == "cpu"
        and x.is_contiguous()
    )
