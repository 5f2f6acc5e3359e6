"""From float weights to the types of GGUF files. The gguf package knows all but the K types, which are made here.

Codes are rounded to the nearest; no better scales are searched for, as llama.cpp's quantiser does, because what is
measured is how truly a file is multiplied, not how well it was made.
"""

from __future__ import annotations

import numpy as np
import torch
from gguf import GGMLQuantizationType
from gguf.quants import quantize
from numpy.typing import NDArray
from torch import Tensor

Bytes = NDArray[np.uint8]

FLOAT_FORMATS = ("F32", "F16", "BF16")


def stored_bytes(weight: Tensor, name: str) -> Bytes:
    """The rows of a float32 matrix (or a vector) as a GGUF file has them in the type `name`, uint8 `[rows, bytes]`.

    The length of a row must be a multiple of the type's block.
    """
    if name in _K_TYPES:
        blocks = _K_TYPES[name](weight.reshape(-1, 256))
        return blocks.reshape(len(weight), -1).numpy()
    data: NDArray[np.generic] = quantize(weight.numpy(), GGMLQuantizationType[name])
    return data.view(np.uint8)


def q4_k_blocks(weights: Tensor) -> Tensor:
    """Blocks of Q4_K, uint8 `[n, 144]`, of weights float32 `[n, 256]`; packing as in `mistralet.quant.q4_k`."""
    head, codes = _affine_codes(weights, largest=15)
    return torch.cat((head, _paired_nibbles(codes)), dim=-1)


def q5_k_blocks(weights: Tensor) -> Tensor:
    """Blocks of Q5_K, uint8 `[n, 176]`, of weights float32 `[n, 256]`; packing as in `mistralet.quant.q5_k`."""
    head, codes = _affine_codes(weights, largest=31)
    groups = torch.arange(8, dtype=torch.uint8).view(8, 1)
    fifth_bits = (codes >> 4 << groups).sum(1, dtype=torch.uint8)
    return torch.cat((head, fifth_bits, _paired_nibbles(codes & 15)), dim=-1)


def q6_k_blocks(weights: Tensor) -> Tensor:
    """Blocks of Q6_K, uint8 `[n, 210]`, of weights float32 `[n, 256]`; packing as in `mistralet.quant.q6_k`."""
    groups = weights.view(-1, 16, 16)
    furthest = groups.gather(-1, groups.abs().argmax(-1, keepdim=True))
    wanted = furthest / -32  # so that the weight furthest from zero has the code of the largest size, -32
    d = (wanted.abs().amax(1) / 127).half()
    scales = _ratio(wanted, d.float().unsqueeze(-1)).round().clamp(-128, 127)
    codes = _ratio(groups, d.float().unsqueeze(-1) * scales).round().clamp(-32, 31) + 32
    runs = codes.to(torch.uint8).view(-1, 2, 4, 32)
    low, shifts = runs & 15, torch.arange(0, 8, 2, dtype=torch.uint8).view(4, 1)
    nibbles = (low[:, :, :2] | low[:, :, 2:] << 4).view(-1, 128)
    pairs = (runs >> 4 << shifts).sum(2, dtype=torch.uint8).view(-1, 64)
    return torch.cat((nibbles, pairs, scales.view(-1, 16).to(torch.int8).view(torch.uint8), d.view(torch.uint8)), -1)


_K_TYPES = {"Q4_K": q4_k_blocks, "Q5_K": q5_k_blocks, "Q6_K": q6_k_blocks}


def _affine_codes(weights: Tensor, largest: int) -> tuple[Tensor, Tensor]:
    """The 16 bytes that Q4_K and Q5_K begin with, uint8 `[n, 16]`, and the codes, uint8 `[n, 8, 32]`."""
    groups = weights.view(-1, 8, 32)
    low = groups.amin(-1).clamp(max=0)  # an offset cannot be above zero
    wanted = torch.stack(((groups.amax(-1) - low) / largest, -low), dim=1)  # scales and minima, [n, 2, 8]
    outer = (wanted.amax(-1) / 63).half()
    inner = _ratio(wanted, outer.float().unsqueeze(-1)).round().clamp(0, 63)
    scales, minima = (outer.float().unsqueeze(-1) * inner).unsqueeze(-1).unbind(1)
    codes = _ratio(groups + minima, scales).round().clamp(0, largest).to(torch.uint8)
    inner = inner.to(torch.uint8)
    first, last = inner[..., :4], inner[..., 4:]
    ends = (last[:, 0] & 15) | (last[:, 1] & 15) << 4
    packed = torch.cat(((first | last >> 4 << 6).flatten(1), ends), dim=-1)
    return torch.cat((outer.view(torch.uint8), packed), dim=-1), codes


def _paired_nibbles(codes: Tensor) -> Tensor:
    """Two groups in each run of 32 bytes, `[n, 8, 32]` to `[n, 128]`: one in the low halves, the next in the high."""
    return (codes[:, 0::2] | codes[:, 1::2] << 4).flatten(1)


def _ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient; 0 where the denominator is 0."""
    return torch.where(denominator == 0, torch.zeros(()), numerator / denominator)
