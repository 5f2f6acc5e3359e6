"""Numbers of a few bits in int32 words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def unpacked(words: Tensor, bits: int) -> Tensor:
    """The numbers in words, the lowest bits first: int32 `[rows, n]` to uint8 `[rows, n * 32 // bits]`."""
    import torch

    as_bytes = words.contiguous().view(torch.uint8)  # little-endian, as the files
    if bits == 8:
        return as_bytes
    return torch.stack((as_bytes & 15, as_bytes >> 4), dim=-1).flatten(-2)
