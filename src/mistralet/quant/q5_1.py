"""Q5_1: 32 weights of 5 bits, a scale and an offset. Block: both as float16, 32 fifth bits, 16 bytes of nibbles."""

from torch import Tensor, int8

from mistralet.quant.block import BlockFormat, UnpackedBlocks, float16_field, nibbles
from mistralet.quant.q5_0 import fifth_bits


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    affine = float16_field(blocks, 0, count=2)
    codes = nibbles(blocks[:, 8:24]) | fifth_bits(blocks[:, 4:8])
    return UnpackedBlocks(codes.view(int8), affine[:, :1], affine[:, 1:])


Q5_1 = BlockFormat("Q5_1", block_size=32, block_bytes=24, group_size=32, unpack=_unpack)
