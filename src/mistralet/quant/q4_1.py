"""Q4_1: 32 weights of 4 bits, a scale and an offset. Block: float16 scale, float16 offset, 16 bytes of nibbles."""

from torch import Tensor, int8

from mistralet.quant.block import BlockFormat, UnpackedBlocks, float16_field, nibbles


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    affine = float16_field(blocks, 0, count=2)
    return UnpackedBlocks(nibbles(blocks[:, 4:20]).view(int8), affine[:, :1], affine[:, 1:])


Q4_1 = BlockFormat("Q4_1", block_size=32, block_bytes=20, group_size=32, unpack=_unpack)
