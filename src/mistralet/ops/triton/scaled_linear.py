"""Products with a `ScaledTensor`: which kernel for how many tokens."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mistralet.ops.triton.dequantize import dequantize
from mistralet.ops.triton.float8 import float8_linear, multiplies_float8
from mistralet.ops.triton.some_tokens import SOME, multiplies_some, some_tokens
from mistralet.quant import ScaledTensor

_FEW = 16  # tokens: reading the weights takes longer than any way to multiply them, and activations need not be rounded


def scaled_linear(x: Tensor, weight: ScaledTensor, onto: Tensor | None = None) -> Tensor:
    """`x @ weight.T + onto`, `[tokens, columns]` to `[tokens, rows]`, sums in float32.

    Weights are rounded to the type of `x`. FP8 weights meet activations rounded to FP8 where the card multiplies these,
    unless there are few tokens.
    """
    if weight.order is not None:
        x = x[:, weight.order]
    x = x.contiguous()
    onto = None if onto is None else onto.contiguous()
    tokens = x.shape[0]
    if not tokens:  # a step that only reads asks for no scores
        return x.new_empty(0, weight.shape[0])
    if weight.group_size % 2:
        return _with(x @ weight.in_stored_order().dequantize().to(x.dtype).T, onto)
    if tokens > _FEW and multiplies_float8(x, weight):
        return _with(float8_linear(x, weight), onto)
    if tokens <= SOME and multiplies_some(weight):
        return some_tokens(x, weight, onto)
    return _with(F.linear(x, dequantize(weight, x.dtype)), onto)


def _with(product: Tensor, onto: Tensor | None) -> Tensor:
    return product if onto is None else onto + product
