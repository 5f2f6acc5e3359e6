"""From the host's memory to a device, without waiting for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def upload(values: Sequence[Any] | NDArray[Any], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor on `device` of numbers that the host has."""
    tensor = torch.as_tensor(values, dtype=dtype)
    if device.type == "cpu":
        return tensor
    # From pageable memory the copy would wait until the device has done all that was asked of it before.
    return tensor.pin_memory().to(device, non_blocking=True)
