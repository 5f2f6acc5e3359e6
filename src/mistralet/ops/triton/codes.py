"""What the codes of a `ScaledTensor` are worth, for all kernels that read them.

Codes are read as bytes, whatever they hold.
"""

from __future__ import annotations

from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.quant import NF4_VALUES, Encoding, ScaledTensor

# 2^23 as float32: a whole number below it in the lowest bits makes the sum of both, which spares the slow conversion.
_FLOAT_BITS = tl.constexpr(0x4B000000)
_FLOAT_BASE = tl.constexpr(8388608.0)


@triton.jit
def whole_bytes(stored, encoding: tl.constexpr):
    """The values of codes of a byte each, in float32: int8, fp8, or fp8_by_bits for cards that cannot read it."""
    if encoding == "int8":
        return stored.to(tl.int8, bitcast=True).to(tl.float32)
    if encoding == "fp8":
        return stored.to(tl.float8e4nv, bitcast=True).to(tl.float32)
    # Sign, exponent and mantissa where float16 has them; its exponents are 8 lower.
    wide = stored.to(tl.uint16)
    half = ((wide & 0x80) << 8) | ((wide & 0x7F) << 7)
    return half.to(tl.float16, bitcast=True).to(tl.float32) * 256


@triton.jit
def half_bytes(numbers, table, encoding: tl.constexpr):
    """The values of codes of half a byte, numbers from 0 to 15: int4 or nf4."""
    if encoding == "nf4":
        return tl.load(table + numbers.to(tl.int32))
    bits = numbers.to(tl.int32) | _FLOAT_BITS
    return bits.to(tl.float32, bitcast=True) - (_FLOAT_BASE + 8)


def bytes_of(weight: ScaledTensor) -> Tensor:
    """The codes as uint8, `[rows, bytes]`."""
    return weight.codes.contiguous().view(torch.uint8)


def encoding_name(weight: ScaledTensor) -> str:
    """How the kernels read the codes on the device they are on."""
    if weight.encoding is Encoding.FP8 and weight.codes.is_cuda and not has_capability(weight.device, 8, 9):
        return "fp8_by_bits"
    return weight.encoding.value


def has_capability(device: torch.device, major: int, minor: int) -> bool:
    """Whether a GPU is an NVIDIA one of that generation or later; AMD's, which PyTorch calls so, too, are not."""
    return torch.version.cuda is not None and torch.cuda.get_device_capability(device) >= (major, minor)


@cache
def nf4_table(device: torch.device) -> Tensor:
    """`NF4_VALUES` on a device."""
    return torch.tensor(NF4_VALUES, device=device)
