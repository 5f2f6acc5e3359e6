"""Q4_K: 256 weights of 4 bits in 8 groups, each with a 6-bit scale and a 6-bit minimum.

Block: float16 scale of the scales, float16 scale of the minima, 12 bytes of both, 128 bytes of nibbles.
Each 32 bytes of nibbles hold two groups: one in the low halves, the next in the high halves.
"""

import torch
from torch import Tensor, int8

from mistralet.quant.block import BlockFormat, UnpackedBlocks, float16_field, nibbles


def scales_and_offsets(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """Scales and offsets of the 8 groups, float32 `[n, 8]` each, of a block that starts as Q4_K and Q5_K do.

    The six-bit numbers of groups 0 to 3 fill the low bits of bytes 0 to 7 (scales, then minima). Those of groups
    4 to 7 have their low four bits in bytes 8 to 11 and their high two bits atop bytes 0 to 7.
    """
    packed = blocks[:, 4:16].contiguous()
    first, second, third = packed[:, 0:4], packed[:, 4:8], packed[:, 8:12]
    scales = torch.cat((first & 63, (third & 15) | (first >> 6 << 4)), dim=-1)
    minima = torch.cat((second & 63, (third >> 4) | (second >> 6 << 4)), dim=-1)
    outer = float16_field(blocks, 0, count=2)
    return outer[:, :1] * scales, -(outer[:, 1:] * minima)


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    codes = nibbles(blocks[:, 16:144].reshape(-1, 32)).view(-1, 256)
    return UnpackedBlocks(codes.view(int8), *scales_and_offsets(blocks))


Q4_K = BlockFormat("Q4_K", block_size=256, block_bytes=144, group_size=32, unpack=_unpack)
