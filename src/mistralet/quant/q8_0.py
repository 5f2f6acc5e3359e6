"""Q8_0: 32 weights of 8 bits and one scale. Block: float16 scale, 32 signed bytes."""

from torch import Tensor, int8

from mistralet.quant.block import BlockFormat, UnpackedBlocks, float16_field


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    return UnpackedBlocks(blocks[:, 2:34].contiguous().view(int8), float16_field(blocks, 0), None)


Q8_0 = BlockFormat("Q8_0", block_size=32, block_bytes=34, group_size=32, unpack=_unpack)
