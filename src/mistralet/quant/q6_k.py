"""Q6_K: 256 weights of 6 bits in 16 groups, each with a signed 8-bit scale.

Block: 128 bytes of low nibbles, 64 bytes of high bit pairs, 16 scales, float16 scale of the scales (code + 32).
Each half of a block (64 + 32 bytes) holds 128 weights in four runs of 32: the low nibbles of its first and second 32
bytes, then their high nibbles; run `r` takes bits `2 r` and `2 r + 1` of the pair bytes.
"""

import torch
from torch import Tensor, int8

from mistralet.quant.block import BlockFormat, UnpackedBlocks, float16_field, nibbles


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    low = nibbles(blocks[:, 0:128].reshape(-1, 64)).view(-1, 4, 32)
    runs = torch.arange(0, 8, 2, dtype=torch.uint8, device=blocks.device).view(4, 1)
    high = (blocks[:, 128:192].reshape(-1, 1, 32) >> runs) & 3
    codes = (low | (high << 4)).view(-1, 256)
    scales = float16_field(blocks, 208) * blocks[:, 192:208].contiguous().view(int8)
    return UnpackedBlocks(codes.view(int8) - 32, scales, None)


Q6_K = BlockFormat("Q6_K", block_size=256, block_bytes=210, group_size=16, unpack=_unpack)
