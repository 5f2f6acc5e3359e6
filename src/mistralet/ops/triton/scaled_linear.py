"""Products with a `ScaledTensor`: which kernel for how many tokens."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from mistralet.ops.triton.dequantize import dequantize
from mistralet.ops.triton.few_tokens import FEW, few_tokens
from mistralet.ops.triton.float8 import float8_linear, multiplies_float8
from mistralet.ops.triton.some_tokens import SHORTEST_STEP, SOME, some_tokens, step_of
from mistralet.quant import ScaledTensor


def scaled_linear(x: Tensor, weight: ScaledTensor, onto: Tensor | None = None) -> Tensor:
    """`x @ weight.T + onto`, `[tokens, columns]` to `[tokens, rows]`, sums in float32.

    Few tokens are multiplied with weights in float32, more with weights in the type of `x`. FP8 weights meet
    activations rounded to FP8 where the card multiplies these, unless there are few tokens.
    """
    if weight.order is not None:
        x = x[:, weight.order]
    x = x.contiguous()
    onto = None if onto is None else onto.contiguous()
    tokens = x.shape[0]
    if not tokens or weight.group_size % 2:
        return _with(x @ weight.in_stored_order().dequantize().to(x.dtype).T, onto)
    if tokens <= FEW:
        return few_tokens(x, weight, onto)
    if multiplies_float8(x, weight):
        return _with(float8_linear(x, weight), onto)
    if tokens <= SOME and step_of(weight) >= SHORTEST_STEP:
        return some_tokens(x, weight, onto)
    return _with(F.linear(x, dequantize(weight, x.dtype)), onto)


def _with(product: Tensor, onto: Tensor | None) -> Tensor:
    return product if onto is None else onto + product
