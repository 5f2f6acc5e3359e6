"""What codes are worth, of a `ScaledTensor` or a cache, for all kernels that read them; and numbers as codes of float8.

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
# Of float8: the largest that is not rounded to more than 448, the least with a full mantissa, the code of no number.
_FLOAT8_END = tl.constexpr(464.0)
_FLOAT8_NORMAL = tl.constexpr(2.0**-6)
_FLOAT8_NAN = tl.constexpr(0x7F)
# 2^14 as float32: what is added to it loses what is finer than float8's smallest step, 2^-9.
_COARSE = tl.constexpr(16384.0)
_COARSE_BITS = tl.constexpr(0x46800000)


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
def float8_bytes(x):
    """The codes of float32 numbers as float8 e4m3fn, uint8: the nearest, of two the even one.

    By whole numbers alone, so that cards without float8 store it too, and all of them the same.
    """
    size = tl.abs(x)
    bits = size.to(tl.uint32, bitcast=True)
    # Of 23 bits of mantissa 3 stay, and the exponent's base falls from 127 to 7.
    code = ((bits + 0x7FFFF + ((bits >> 20) & 1)) >> 20) - (120 << 3)
    small = (size + _COARSE).to(tl.uint32, bitcast=True) - _COARSE_BITS
    code = tl.where(size < _FLOAT8_NORMAL, small, code)
    code = tl.where(size <= _FLOAT8_END, code, _FLOAT8_NAN)
    sign = (x.to(tl.uint32, bitcast=True) >> 24) & 0x80
    return (code | sign).to(tl.uint8)


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
    return float8_name(weight.device) if weight.encoding is Encoding.FP8 else weight.encoding.value


def float8_name(device: torch.device) -> str:
    """How the kernels read float8 on a device."""
    is_old = device.type == "cuda" and not has_capability(device, 8, 9)
    return "fp8_by_bits" if is_old else "fp8"


def has_capability(device: torch.device, major: int, minor: int) -> bool:
    """Whether a GPU is an NVIDIA one of that generation or later; AMD's, which PyTorch calls so, too, are not."""
    return torch.version.cuda is not None and torch.cuda.get_device_capability(device) >= (major, minor)


@cache
def nf4_table(device: torch.device) -> Tensor:
    """`NF4_VALUES` on a device."""
    return torch.tensor(NF4_VALUES, device=device)
