"""Rotary position embedding (Su et al. 2021), in the interleaved convention: features 2j and 2j+1 form a pair."""

from __future__ import annotations

import torch
from torch import Tensor


def rotary_table(positions: Tensor, head_dim: int, theta: float) -> Tensor:
    """Rotations of the text decoder: pair `j` turns by `position * theta ** (-2 j / head_dim)`.

    Args:
        positions: `[tokens]`, whole numbers.

    Returns:
        complex64 `[tokens, head_dim // 2]`.
    """
    return _rotations(positions, _frequencies(head_dim, theta, positions.device))


def rotary_table_2d(rows: Tensor, columns: Tensor, head_dim: int, theta: float) -> Tensor:
    """Rotations of the vision encoder: even frequencies follow the patch's row, odd ones its column (SPEC 1.2).

    Args:
        rows, columns: place of each patch in its image, `[patches]`.

    Returns:
        complex64 `[patches, head_dim // 2]`: first the pairs turned by the row, then those turned by the column.
    """
    frequencies = _frequencies(head_dim, theta, rows.device)
    return torch.cat((_rotations(rows, frequencies[0::2]), _rotations(columns, frequencies[1::2])), dim=-1)


def apply_rotary(x: Tensor, rotations: Tensor) -> Tensor:
    """Turn the pairs of every head; computed in float32.

    Args:
        x: `[tokens, heads, head_dim]`.
        rotations: complex64 `[tokens, head_dim // 2]`.

    Returns:
        Like `x`.
    """
    pairs = torch.view_as_complex(x.to(torch.float32).unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotations.unsqueeze(1)).flatten(-2).to(x.dtype)


def _frequencies(head_dim: int, theta: float, device: torch.device) -> Tensor:
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=device) / head_dim
    return 1.0 / theta**exponents


def _rotations(positions: Tensor, frequencies: Tensor) -> Tensor:
    # Angles in float32, as the reference has them. Their sines and cosines in float64, which hides that PyTorch rounds
    # the last few elements of a tensor another way: a position's rotation must not depend on its company.
    angles = torch.outer(positions.to(torch.float32), frequencies).to(torch.float64)
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64)
