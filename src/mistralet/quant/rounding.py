"""Float matrices rounded to FP8 or to 4 bits, for loading a model as released in less memory."""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.config import Rounding
from mistralet.quant.scaled import Encoding, ScaledTensor, join_rows, pack_half_bytes

_LARGEST_FP8 = 448.0
_INT4_GROUP = 64  # weights: with a float16 scale and offset for each, 4.5 bits a weight
# Ranges that are tried for a group, as shares of the whole: cutting the largest weights may leave less error in all.
_SHARES = (1.0, 0.95, 0.9, 0.85, 0.8)
# Weights that are rounded at once: what is worked with takes some 50 bytes for each.
_TILE_WEIGHTS = 1 << 24


def round_weight(weight: Tensor, rounding: Rounding) -> ScaledTensor:
    """A float matrix `[rows, columns]`, rounded.

    FP8 has a scale for each row, as compressed-tensors' FP8-dynamic checkpoints (SPEC 2.4); int4 a scale and an offset
    for each 64 weights, or fewer where a row has no whole groups of them. It is done where the matrix is.
    """
    to_codes = _to_fp8 if rounding is Rounding.FP8 else _to_int4
    tiles = [to_codes(tile) for tile in weight.split(max(1, _TILE_WEIGHTS // weight.shape[1]))]
    return tiles[0] if len(tiles) == 1 else join_rows(tiles)


def _to_fp8(weight: Tensor) -> ScaledTensor:
    wide = weight.to(torch.float32)
    scales = (wide.abs().amax(-1, keepdim=True) / _LARGEST_FP8).clamp_(min=torch.finfo(torch.float32).tiny)
    return ScaledTensor(Encoding.FP8, (wide / scales).to(torch.float8_e4m3fn), scales)


def _to_int4(weight: Tensor) -> ScaledTensor:
    columns = weight.shape[1]
    group = next(size for size in (_INT4_GROUP, 32, 16, 8, 4, 2) if columns % size == 0)
    groups = weight.to(torch.float32).unflatten(-1, (-1, group))
    middle = (groups.amax(-1) + groups.amin(-1)) / 2
    span = (groups.amax(-1) - groups.amin(-1)).clamp_(min=1e-12)
    best: tuple[Tensor, ...] | None = None
    for share in _SHARES:
        scales = (span * share / 15).to(torch.float16).to(torch.float32).clamp_(min=6e-8)
        # The middle of the range lies between codes 7 and 8, whose values are -1 and 0.
        offsets = (middle + scales / 2).to(torch.float16).to(torch.float32)
        codes = ((groups - offsets.unsqueeze(-1)) / scales.unsqueeze(-1)).round_().clamp_(-8, 7)
        error = ((codes * scales.unsqueeze(-1) + offsets.unsqueeze(-1)) - groups).square_().sum(-1)
        if best is None:
            best = (error, codes, scales, offsets)
        else:
            better = error < best[0]
            best = tuple(
                torch.where(better.unsqueeze(-1) if new.dim() > better.dim() else better, new, old)
                for new, old in zip((error, codes, scales, offsets), best, strict=True)
            )
    assert best is not None
    _, codes, scales, offsets = best
    packed = pack_half_bytes(codes.flatten(-2) + 8)
    return ScaledTensor(Encoding.INT4, packed, scales.to(torch.float16), offsets.to(torch.float16))
