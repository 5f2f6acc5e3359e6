"""Q5_K: as Q4_K, with a fifth bit per weight.

Block: the 16 bytes of scales of Q4_K, 32 bytes of fifth bits (bit `g` of byte `i` belongs to weight `i` of group `g`),
128 bytes of nibbles.
"""

import torch
from torch import Tensor, int8

from mistralet.quant.block import BlockFormat, UnpackedBlocks, nibbles
from mistralet.quant.q4_k import scales_and_offsets


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    low = nibbles(blocks[:, 48:176].reshape(-1, 32)).view(-1, 8, 32)
    groups = torch.arange(8, dtype=torch.uint8, device=blocks.device).view(8, 1)
    high = (blocks[:, 16:48].unsqueeze(1) >> groups) & 1
    codes = (low | (high << 4)).view(-1, 256)
    return UnpackedBlocks(codes.view(int8), *scales_and_offsets(blocks))


Q5_K = BlockFormat("Q5_K", block_size=256, block_bytes=176, group_size=32, unpack=_unpack)
