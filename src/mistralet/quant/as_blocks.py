"""`as_blocks`: a `ScaledTensor` in blocks of 32 weights, which the native kernels can pack."""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.quant.block import BlockFormat, QuantizedTensor
from mistralet.quant.q4_0 import Q4_0
from mistralet.quant.q4_1 import Q4_1
from mistralet.quant.q8_0 import Q8_0
from mistralet.quant.scaled import Encoding, ScaledTensor

_BLOCK = 32
_HALF = 16


def block_format_of(weight: ScaledTensor) -> BlockFormat | None:
    """The format of its blocks; None if there is none that holds its codes as they are."""
    if weight.order is not None or weight.group_size % _BLOCK:
        return None
    if weight.encoding is Encoding.INT4:
        return Q4_0 if weight.offsets is None else Q4_1
    if weight.encoding is Encoding.INT8 and weight.offsets is None:
        return Q8_0
    return None


def as_blocks(weight: ScaledTensor) -> QuantizedTensor:
    """The same codes in blocks of 32, with scales and offsets as float16; see `block_format_of`."""
    block_format = block_format_of(weight)
    assert block_format is not None
    rows, columns = weight.shape
    repeats = weight.group_size // _BLOCK
    header = [weight.scales.to(torch.float32)]
    if weight.offsets is not None:  # of the code zero, whose value is -8
        header.append(weight.offsets.to(torch.float32) - 8 * header[0])
    fields = [_as_bytes(each.repeat_interleave(repeats, dim=-1)) for each in header]
    if weight.encoding is Encoding.INT8:
        codes = weight.codes.view(torch.uint8).unflatten(-1, (-1, _BLOCK))
    else:
        numbers = torch.stack((weight.codes & 15, weight.codes >> 4), dim=-1).flatten(-2).unflatten(-1, (-1, _BLOCK))
        codes = numbers[..., :_HALF] | numbers[..., _HALF:] << 4
    return QuantizedTensor(block_format, torch.cat((*fields, codes), dim=-1).view(rows, -1), columns)


def _as_bytes(numbers: Tensor) -> Tensor:
    """As float16, uint8 `[..., 2]`."""
    return numbers.to(torch.float16).unsqueeze(-1).view(torch.uint8)
