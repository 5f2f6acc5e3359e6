"""Products of float8 activations with float8 weights, at twice the rate of 16 bits."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from mistralet.ops.triton.codes import float8_bytes, has_capability
from mistralet.quant import Encoding, ScaledTensor

_LARGEST = 448.0  # of float8 e4m3fn
_LEAST = 1e-12
_MULTIPLE = 16  # sizes that the library's kernels take


@triton.jit
def _round_tokens(x, codes, scales, size, largest_code: tl.constexpr, least: tl.constexpr, block: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.arange(0, block)
    largest = tl.full((block,), least, tl.float32)
    for start in range(0, size, block):
        is_there = start + place < size
        part = tl.load(x + row * size + start + place, mask=is_there, other=0).to(tl.float32)
        largest = tl.maximum(largest, tl.abs(part))
    scale = tl.max(largest, axis=0) / largest_code
    tl.store(scales + row, scale)
    for start in range(0, size, block):
        is_there = start + place < size
        part = tl.load(x + row * size + start + place, mask=is_there, other=0).to(tl.float32)
        tl.store(codes + row * size + start + place, float8_bytes(part / scale), mask=is_there)


def round_tokens(x: Tensor) -> tuple[Tensor, Tensor]:
    """Each token as float8 with a scale of its own: `[tokens, size]` e4m3fn, and float32 `[tokens, 1]`."""
    tokens, size = x.shape
    codes = torch.empty(tokens, size, dtype=torch.float8_e4m3fn, device=x.device)
    scales = torch.empty(tokens, 1, dtype=torch.float32, device=x.device)
    _round_tokens[(tokens,)](x, codes.view(torch.uint8), scales, size, largest_code=_LARGEST, least=_LEAST, block=2048)
    return codes, scales


def multiplies_float8(x: Tensor, weight: ScaledTensor) -> bool:
    """Whether `float8_linear` can: PyTorch has products with a scale for each row from Hopper on."""
    return (
        weight.encoding is Encoding.FP8
        and weight.scales.shape[1] == 1
        and weight.offsets is None
        and all(size % _MULTIPLE == 0 for size in weight.shape)
        and x.dtype == torch.bfloat16
        and x.is_cuda
        and has_capability(x.device, 9, 0)
    )


def float8_linear(x: Tensor, weight: ScaledTensor) -> Tensor:
    """`x @ weight.T` with activations rounded to float8, a scale for each token, as FP8-dynamic checkpoints ask for."""
    codes, scales = round_tokens(x)
    row_scales = weight.scales.to(torch.float32).T.contiguous()
    product: Tensor = torch._scaled_mm(
        codes, weight.codes.T, scale_a=scales, scale_b=row_scales, out_dtype=x.dtype, use_fast_accum=True
    )
    return product
