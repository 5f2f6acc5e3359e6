"""Keys and values in blocks, and where the tokens of a batch lie among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from mistralet.native import kernels

BLOCK_SIZE = 32  # tokens (native/kv_types.h)

# The kernels' numbers of the element types of a cache.
KV_TYPE_NUMBERS = {torch.float32: 0, torch.float16: 1, torch.int8: 24, torch.bfloat16: 30}


def blocks_for(tokens: int) -> int:
    """How many blocks hold `tokens` tokens."""
    return -(-tokens // BLOCK_SIZE)


@dataclass(frozen=True)
class LayerCache:
    """The keys and values of one layer.

    Keys are turned, so that the same feature of neighbouring tokens lies side by side. 8-bit values have a scale for
    each head and token: `value = code * scale`.
    """

    keys: Tensor  # [blocks, kv_heads, head_dim, BLOCK_SIZE]
    values: Tensor  # [blocks, kv_heads, BLOCK_SIZE, head_dim]
    key_scales: Tensor | None  # float32 [blocks, kv_heads, BLOCK_SIZE], of an int8 cache
    value_scales: Tensor | None

    @classmethod
    def empty(
        cls, blocks: int, kv_heads: int, head_dim: int, dtype: torch.dtype, device: torch.device | None = None
    ) -> LayerCache:
        """Room for `blocks` blocks; `dtype` is float32, float16, bfloat16 or int8."""
        scales = [torch.empty(blocks, kv_heads, BLOCK_SIZE, device=device) for _ in range(2 * (dtype == torch.int8))]
        return cls(
            torch.empty(blocks, kv_heads, head_dim, BLOCK_SIZE, dtype=dtype, device=device),
            torch.empty(blocks, kv_heads, BLOCK_SIZE, head_dim, dtype=dtype, device=device),
            *(scales or (None, None)),
        )

    @property
    def tensors(self) -> list[Tensor]:
        """Everything stored."""
        return [t for t in (self.keys, self.values, self.key_scales, self.value_scales) if t is not None]

    @cached_property
    def handle(self) -> Any:
        """What the kernels know it by."""
        assert kernels is not None
        pointers = [
            0 if t is None else t.data_ptr() for t in (self.keys, self.values, self.key_scales, self.value_scales)
        ]
        _, kv_heads, head_dim, _ = self.keys.shape
        return kernels.LayerCache(KV_TYPE_NUMBERS[self.keys.dtype], *pointers, kv_heads, head_dim)


@dataclass(eq=False, slots=True)
class Span:
    """The tokens of one sequence in a batch: the last `tokens` of its `context`, which lies in `blocks`."""

    tokens: int
    context: int
    blocks: Tensor  # int32 [at least blocks_for(context)]


@dataclass(frozen=True)
class PagedBatch:
    """Tokens of several sequences, one sequence after another."""

    spans: Sequence[Span]
    causal: bool = True  # a token sees its sequence up to itself; else all of it

    @classmethod
    def of_segments(cls, lengths: Sequence[int]) -> PagedBatch:
        """Whole sequences in which everything sees everything, in blocks that follow each other."""
        spans, first = [], 0
        for length in lengths:
            blocks = blocks_for(length)
            spans.append(Span(length, length, torch.arange(first, first + blocks, dtype=torch.int32)))
            first += blocks
        return cls(spans, causal=False)

    @cached_property
    def tokens(self) -> int:
        """Tokens in all."""
        return sum(span.tokens for span in self.spans)

    @cached_property
    def positions(self) -> Tensor:
        """The place of each token in its sequence, int64 `[tokens]`."""
        places = [place for span in self.spans for place in range(span.context - span.tokens, span.context)]
        return torch.tensor(places, dtype=torch.int64)

    @cached_property
    def slots(self) -> Tensor:
        """The place of each token in the cache, int64 `[tokens]`: its block times `BLOCK_SIZE` plus its place there."""
        places = self.positions.split([span.tokens for span in self.spans])
        blocks = [span.blocks[place // BLOCK_SIZE] for span, place in zip(self.spans, places, strict=True)]
        return torch.cat(blocks).to(torch.int64) * BLOCK_SIZE + self.positions % BLOCK_SIZE

    @cached_property
    def handle(self) -> Any:
        """What the kernels know it by."""
        assert kernels is not None
        handle = kernels.Batch(self.causal)
        for span in self.spans:
            handle.add(span.tokens, span.context, span.blocks.data_ptr())
        return handle
