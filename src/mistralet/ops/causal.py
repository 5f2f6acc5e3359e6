"""Attention of many tokens of one sequence at once, by the fastest kernels that are installed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

# FlashAttention's packages, the newer first; 3 is for Hopper alone.
_FLASH_PACKAGES = (("flash_attn_interface", (9, 9)), ("flash_attn", (8, 99)))


def causal_attention(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """The last tokens of a sequence, each of which sees the sequence up to itself.

    On a GPU by FlashAttention where its package is installed, else by PyTorch's own flash kernel, which it has for
    16-bit types.

    Args:
        query: `[tokens, heads, head_dim]`.
        keys, values: of the whole sequence, `[kv_heads, context, head_dim]`.

    Returns:
        Like `query`.
    """
    flash = _flash_attention(query.device) if query.element_size() == 2 else None
    if flash is not None:
        attended = flash(query[None], keys.transpose(0, 1)[None], values.transpose(0, 1)[None], causal=True)
        # Some of its releases give the logarithms of the sums, too.
        of_one: Tensor = (attended[0] if isinstance(attended, tuple) else attended)[0]
        return of_one
    tokens, context = query.shape[0], keys.shape[1]
    mask: Tensor
    if query.is_cuda:
        # Importing it takes long, and brings triton. It is never laid out where the flash kernel takes it.
        from torch.nn.attention.bias import causal_lower_right

        mask = causal_lower_right(tokens, context)
    else:
        mask = torch.ones(tokens, context, dtype=torch.bool).tril_(context - tokens)
    attended = F.scaled_dot_product_attention(
        query.transpose(0, 1)[None], keys[None], values[None], attn_mask=mask, enable_gqa=True
    )
    return attended[0].transpose(0, 1)


@cache
def _flash_attention(device: torch.device) -> Callable[..., Any] | None:
    if device.type != "cuda":
        return None
    major, _ = torch.cuda.get_device_capability(device)
    for name, (oldest, newest) in _FLASH_PACKAGES:
        if oldest <= major <= newest and importlib.util.find_spec(name) is not None:
            function: Callable[..., Any] = importlib.import_module(name).flash_attn_func
            return function
    return None
