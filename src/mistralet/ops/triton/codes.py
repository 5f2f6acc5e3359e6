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


# Eight codes of half a byte in a word to eight bfloat16, two in each operation. A number below 16 in the lowest bits of
# the mantissa of 128 makes the sum of both; 136 less is the code's value; then scale and offset. What stands in one
# register are the columns 0 and 4, 1 and 5, 2 and 6, 3 and 7.
EIGHT_INT4 = tl.constexpr("""
{
.reg .b32 q1, q2, q3, a, b, c, d, one, less;
mov.b32 one, 0x3f803f80;
mov.b32 less, 0xc308c308;
shr.b32 q1, $4, 4;
shr.b32 q2, $4, 8;
shr.b32 q3, $4, 12;
lop3.b32 a, $4, 0x000f000f, 0x43004300, 0xea;
lop3.b32 b, q1, 0x000f000f, 0x43004300, 0xea;
lop3.b32 c, q2, 0x000f000f, 0x43004300, 0xea;
lop3.b32 d, q3, 0x000f000f, 0x43004300, 0xea;
fma.rn.bf16x2 a, a, one, less;
fma.rn.bf16x2 b, b, one, less;
fma.rn.bf16x2 c, c, one, less;
fma.rn.bf16x2 d, d, one, less;
fma.rn.bf16x2 $0, a, $5, $7;
fma.rn.bf16x2 $1, b, $6, $8;
fma.rn.bf16x2 $2, c, $5, $7;
fma.rn.bf16x2 $3, d, $6, $8;
}
""")


@triton.jit
def int4_in_pairs(stored, scale, base, by_assembly: tl.constexpr):
    """Weights of int4 codes `[rows, pieces, bytes]`, in two tensors like them, as `asked_in_pairs` has activations.

    Args:
        scale, base: of each byte.
        by_assembly: in bfloat16, for cards of NVIDIA; else in float32, which the interpreter can run.
    """
    if by_assembly:
        first, second = tl.inline_asm_elementwise(
            EIGHT_INT4,
            "=r,=r,=r,=r,r,r,r,r,r",
            [stored, scale.to(tl.bfloat16), base.to(tl.bfloat16)],
            dtype=(tl.bfloat16, tl.bfloat16),
            is_pure=True,
            pack=4,
        )
    else:
        rows: tl.constexpr = stored.shape[0]
        size: tl.constexpr = stored.shape[1] * stored.shape[2]
        # Of four bytes, which hold eight columns, the first and third, and the second and fourth.
        even, odd = tl.split(tl.reshape(stored, (rows, size // 4, 2, 2)))
        even = tl.permute(tl.join(even & 15, even >> 4), (0, 1, 3, 2))
        odd = tl.permute(tl.join(odd & 15, odd >> 4), (0, 1, 3, 2))
        first = (tl.reshape(even, stored.shape).to(tl.float32) - 8) * scale + base
        second = (tl.reshape(odd, stored.shape).to(tl.float32) - 8) * scale + base
    return first, second


@triton.jit
def asked_in_pairs(asked, tokens: tl.constexpr, size: tl.constexpr):
    """Activations `[tokens, 2 * size]` as `[tokens, size]` twice: of eight the columns 0, 4, 1, 5, and 2, 6, 3, 7."""
    eights = tl.reshape(asked, (tokens, size // 4, 2, 2, 2))
    first, second = tl.split(tl.permute(eights, (0, 1, 4, 2, 3)))
    return tl.reshape(first, (tokens, size)), tl.reshape(second, (tokens, size))


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
