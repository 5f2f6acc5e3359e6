"""Attention of the text decoder (causal, grouped heads) and of the vision encoder (each image by itself)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mistralet.ops.few_tokens import kernels_for

_LARGEST_HEAD_DIM = 256  # that native/attention.h has registers for


def causal_attention(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of the last tokens of a sequence to all tokens up to and including themselves.

    Args:
        query: `[tokens, heads, head_dim]`, the last `tokens` of the context.
        keys: `[kv_heads, context, head_dim]`, in any float type; consecutive query heads share a key head.
        values: like `keys`.

    Returns:
        `[tokens, heads, head_dim]`, in the type of `query`.
    """
    tokens, heads, head_dim = query.shape
    kv_heads, context, _ = keys.shape
    kernels = kernels_for(query)
    if tokens == 1 and kernels is not None and _is_for_native(keys, values):
        out = torch.empty_like(query)
        pointers = (query.data_ptr(), keys.data_ptr(), values.data_ptr())
        kernels.attention(*pointers, keys.stride(0), heads, kv_heads, head_dim, context, head_dim**-0.5, out.data_ptr())
        return out
    keys, values = keys.to(query.dtype), values.to(query.dtype)
    if tokens == 1:
        # The query heads that share a key head take the place of tokens, so that each key is read once.
        grouped = query.view(1, kv_heads, heads // kv_heads, head_dim)
        return F.scaled_dot_product_attention(grouped, keys[None], values[None]).view(1, heads, head_dim)
    mask = None
    if tokens < context:
        visible = torch.ones(tokens, context, dtype=torch.bool, device=query.device).tril(context - tokens)
        mask = torch.zeros(tokens, context, dtype=query.dtype, device=query.device).masked_fill_(~visible, -torch.inf)
    attended = F.scaled_dot_product_attention(
        query.transpose(0, 1)[None], keys[None], values[None], attn_mask=mask, is_causal=mask is None, enable_gqa=True
    )
    return attended[0].transpose(0, 1)


def _is_for_native(keys: Tensor, values: Tensor) -> bool:
    head_dim = keys.shape[-1]
    return (
        keys.dtype == values.dtype == torch.float16
        and head_dim % 16 == 0
        and head_dim <= _LARGEST_HEAD_DIM
        and keys.stride() == values.stride()
        and keys.stride()[1:] == (head_dim, 1)
    )


def segment_attention(query: Tensor, keys: Tensor, values: Tensor, lengths: list[int]) -> Tensor:
    """Attention in both directions inside each segment of a packed sequence, and never across segments.

    Args:
        query, keys, values: `[patches, heads, head_dim]`.
        lengths: patches of each segment; they add up to all patches.

    Returns:
        `[patches, heads, head_dim]`.
    """
    segments = zip(query.split(lengths), keys.split(lengths), values.split(lengths), strict=True)
    attended = [
        F.scaled_dot_product_attention(q.transpose(0, 1)[None], k.transpose(0, 1)[None], v.transpose(0, 1)[None])
        for q, k, v in segments
    ]
    return torch.cat([segment[0].transpose(0, 1) for segment in attended])
