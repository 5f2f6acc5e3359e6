"""The int4 cache of keys and values: how a head is rounded, and how a block of 32 tokens lies in memory.

A head is turned by a Hadamard matrix, which spreads a large feature over all of them (Ashkboos et al. 2024, "QuaRot").
Then each 32 features share a float16 scale, of which the largest is a whole multiple. Errors of keys weigh most, since
they move all weights of a row: keys have codes of 5 bits, values of 4. native/kv_int4.h does the same, bit for bit.

A head's block of keys is two panels of 16 tokens in the packed format Q5_0 (native/layout.h), its block of values
`[groups][32 scales, 32 tokens of 16 bytes]`, features 0 to 15 of a group in the low halves.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

GROUP = 32  # features
BLOCK_TOKENS = 32
_PANEL = 16  # tokens
_KEY_ZERO, _VALUE_ZERO = 16, 8  # the codes of zero
_LARGEST_HALF = 65504.0
KEY_GROUP_BYTES = BLOCK_TOKENS * (2 + GROUP * 5 // 8)
VALUE_GROUP_BYTES = BLOCK_TOKENS * (2 + GROUP * 4 // 8)


class _KeyFields(NamedTuple):
    """Views of stored keys; blocks and heads come first."""

    scales: Tensor  # float16 [panels, groups, 16 tokens]
    low: Tensor  # [panels, groups, 4, 16 tokens, 4]: features 4r + b, and 16 + 4r + b in the upper half
    high: Tensor  # [panels, groups, 16 tokens, 4]: bit q is the fifth of feature 4q + b


def hadamard(x: Tensor) -> Tensor:
    """`x` times a Hadamard matrix over its root, its own inverse, along the last dimension.

    The matrix is as wide as the largest power of two that divides the size; wider heads have several beside each other.
    """
    size = x.shape[-1]
    width = size & -size
    half = 1
    while half < width:
        a, b = x.unflatten(-1, (-1, 2, half)).unbind(-2)
        x = torch.stack((a + b, a - b), -2).flatten(-3)
        half *= 2
    factor: float = (1 / torch.tensor(float(width)).sqrt()).item()  # a float32, as in the kernels
    return x * factor


def store_keys(stored: Tensor, blocks: Tensor, places: Tensor, keys: Tensor) -> None:
    """Put keys `[tokens, kv_heads, head_dim]` into `stored`, uint8 `[blocks, kv_heads, bytes]`, at places in blocks."""
    codes, scales = _round(hadamard(keys), _KEY_ZERO)
    fields, panel, row = _key_fields(stored), places // _PANEL, places % _PANEL
    fields.scales[blocks, :, panel, :, row] = scales
    fields.low[blocks, :, panel, :, :, row] = _halves(codes & 15).unflatten(-1, (4, 4))
    bits = (codes >> 4) << (torch.arange(GROUP, device=codes.device, dtype=torch.uint8) // 4)
    fields.high[blocks, :, panel, :, row] = bits.unflatten(-1, (8, 4)).sum(-2, dtype=torch.uint8)


def store_values(stored: Tensor, blocks: Tensor, places: Tensor, values: Tensor) -> None:
    """Put values `[tokens, kv_heads, head_dim]` into `stored`, uint8 `[blocks, kv_heads, bytes]`."""
    codes, scales = _round(hadamard(values), _VALUE_ZERO)
    stored_scales, low = _value_fields(stored)
    stored_scales[blocks, :, :, places] = scales
    low[blocks, :, :, places] = _halves(codes)


def load_keys(stored: Tensor) -> Tensor:
    """Stored keys, uint8 `[blocks, kv_heads, bytes]`, as float32 `[blocks, kv_heads, 32, head_dim]`."""
    scales, low, high = _key_fields(stored)
    halves = torch.stack((low & 15, low >> 4), -4)  # [..., panels, groups, 2, 4, 16 tokens, 4]
    bits = torch.arange(8, device=stored.device, dtype=torch.uint8).view(2, 4, 1, 1)
    fifth = (high[..., None, None, :, :] >> bits) & 1
    codes = (halves | fifth << 4).movedim(-2, -5).flatten(-3)  # [..., panels, 16 tokens, groups, 32]
    numbers = (codes.to(torch.float32) - _KEY_ZERO) * scales.transpose(-1, -2).unsqueeze(-1).to(torch.float32)
    return hadamard(numbers.flatten(-2).flatten(-3, -2))


def load_values(stored: Tensor) -> Tensor:
    """Stored values, uint8 `[blocks, kv_heads, bytes]`, as float32 `[blocks, kv_heads, 32, head_dim]`."""
    scales, low = _value_fields(stored)
    codes = torch.cat((low & 15, low >> 4), -1)  # [..., groups, 32 tokens, 32]
    numbers = (codes.to(torch.float32) - _VALUE_ZERO) * scales.unsqueeze(-1).to(torch.float32)
    return hadamard(numbers.transpose(-3, -2).flatten(-2))


def _round(x: Tensor, zero: int) -> tuple[Tensor, Tensor]:
    """Codes, uint8 `[..., groups, 32]`, and scales, float16 `[..., groups]`."""
    groups = x.to(torch.float32).unflatten(-1, (-1, GROUP))
    lowest, highest = groups.amin(-1), groups.amax(-1)
    exact = torch.where(highest > -lowest, highest, lowest) / -zero
    scales = exact.clamp(-_LARGEST_HALF, _LARGEST_HALF).to(torch.float16)
    rounded = scales.to(torch.float32)
    factors = torch.where(rounded != 0, 1 / rounded, 0)
    codes = torch.round(groups * factors.unsqueeze(-1)) + zero
    return codes.clamp(0, 2 * zero - 1).to(torch.uint8), scales


def _halves(codes: Tensor) -> Tensor:
    """Two codes of 4 bits a byte: `[..., 32]` to `[..., 16]`."""
    return codes[..., : GROUP // 2] | codes[..., GROUP // 2 :] << 4


def _key_fields(stored: Tensor) -> _KeyFields:
    groups = stored.unflatten(-1, (BLOCK_TOKENS // _PANEL, -1, KEY_GROUP_BYTES * _PANEL // BLOCK_TOKENS))
    scales, low, high = groups.split((2 * _PANEL, GROUP // 2 * _PANEL, GROUP // 8 * _PANEL), -1)
    return _KeyFields(scales.view(torch.float16), low.unflatten(-1, (4, _PANEL, 4)), high.unflatten(-1, (_PANEL, 4)))


def _value_fields(stored: Tensor) -> tuple[Tensor, Tensor]:
    """Views: float16 scales `[..., groups, 32 tokens]`, and codes `[..., groups, 32 tokens, 16]`."""
    scales, low = stored.unflatten(-1, (-1, VALUE_GROUP_BYTES)).split((2 * BLOCK_TOKENS, 16 * BLOCK_TOKENS), -1)
    return scales.view(torch.float16), low.unflatten(-1, (BLOCK_TOKENS, GROUP // 2))
