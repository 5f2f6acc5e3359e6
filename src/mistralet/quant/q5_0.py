"""Q5_0: 32 weights of 5 bits and one scale. Block: float16 scale, 32 fifth bits, 16 bytes of nibbles (code + 16)."""

import torch
from torch import Tensor, int8

from mistralet.quant.block import BlockFormat, UnpackedBlocks, float16_field, nibbles


def fifth_bits(packed: Tensor) -> Tensor:
    """The top bits of 32 five-bit codes, in place: uint8 `[n, 4]` (bit `i` of the word is weight `i`) to `[n, 32]`."""
    shifts = torch.arange(8, dtype=torch.uint8, device=packed.device)
    bits = (packed.unsqueeze(-1) >> shifts) & 1
    return bits.view(-1, 32) << 4


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    codes = nibbles(blocks[:, 6:22]) | fifth_bits(blocks[:, 2:6])
    return UnpackedBlocks(codes.view(int8) - 16, float16_field(blocks, 0), None)


Q5_0 = BlockFormat("Q5_0", block_size=32, block_bytes=22, group_size=32, unpack=_unpack)
