"""Where Triton's kernels take over from PyTorch's own operations."""

from __future__ import annotations

import importlib.util
from functools import cache
from types import ModuleType

from torch import Tensor


def gpu_kernels(x: Tensor) -> ModuleType | None:
    """The kernels of `ops.triton`, if `x` is on an NVIDIA GPU and Triton is installed."""
    return _kernels() if x.is_cuda else None


@cache
def _kernels() -> ModuleType | None:
    if importlib.util.find_spec("triton") is None:
        return None
    return importlib.import_module("mistralet.ops.triton")
