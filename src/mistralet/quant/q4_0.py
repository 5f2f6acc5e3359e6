"""Q4_0: 32 weights of 4 bits and one scale. Block: float16 scale, 16 bytes of nibbles (code + 8)."""

from torch import Tensor, int8

from mistralet.quant.block import BlockFormat, UnpackedBlocks, float16_field, nibbles


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    return UnpackedBlocks(nibbles(blocks[:, 2:18]).view(int8) - 8, float16_field(blocks, 0), None)


Q4_0 = BlockFormat("Q4_0", block_size=32, block_bytes=18, group_size=32, unpack=_unpack)
