"""Q8_0: 32 weights of 8 bits and one scale. Block: float16 scale, 32 signed bytes."""

import torch
from torch import Tensor

from mistralet.quant.block import BlockFormat, QuantizedTensor, UnpackedBlocks, float16_field


def _unpack(blocks: Tensor) -> UnpackedBlocks:
    return UnpackedBlocks(blocks[:, 2:34].contiguous().view(torch.int8), float16_field(blocks, 0), None)


Q8_0 = BlockFormat("Q8_0", block_size=32, block_bytes=34, group_size=32, unpack=_unpack)


def quantize_q8_0(weight: Tensor) -> QuantizedTensor:
    """A float matrix rounded to Q8_0: every weight is off by at most half its block's scale, or by 4e-6.

    A scale is the block's largest magnitude / 127 as float16, whose least step is 6e-8. Weights above 8.3e6, for which
    it would be infinite, are cut to that.

    Args:
        weight: `[rows, columns]`, columns a multiple of 32.
    """
    rows, columns = weight.shape
    blocks = weight.to(torch.float32).view(-1, Q8_0.block_size)
    scales = (blocks.abs().amax(-1, keepdim=True) / 127).clamp(max=65504).to(torch.float16)
    # A scale that is rounded down would take the largest weight to 127.06; a scale of zero everything to infinity.
    codes = (blocks / scales).nan_to_num(0, 0, 0).round().clamp(-127, 127).to(torch.int8)
    data = torch.cat((scales.view(torch.uint8), codes.view(torch.uint8)), dim=-1)
    return QuantizedTensor(Q8_0, data.view(rows, -1), columns)
