"""Keys and values in blocks, and where the tokens of a batch lie among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from mistralet.config import KVType
from mistralet.native import kernels
from mistralet.quant import kv_int4

BLOCK_SIZE = 32  # tokens (native/kv_types.h)

# The kernels' numbers of the types they know.
_NUMBERS = {kv_type: number for number, kv_type in enumerate(KVType) if kv_type.is_native}


# What the largest value of a head becomes, in caches with scales; below the least, a head has none.
LARGEST_CODES = {KVType.INT8: 127.0, KVType.FP8: 448.0}
LEAST_SCALED = 1e-30


def blocks_for(tokens: int) -> int:
    """How many blocks hold `tokens` tokens."""
    return -(-tokens // BLOCK_SIZE)


@dataclass(frozen=True)
class LayerCache:
    """The keys and values of one layer.

    Keys are turned, so that the same feature of neighbouring tokens lies side by side. 8-bit values have a scale for
    each head and token: `value = code * scale`. Codes of an fp8 cache are bytes of float8_e4m3fn as uint8, which all
    operations on tensors take. An int4 cache lies as `quant.kv_int4` says, uint8 `[blocks, kv_heads, bytes]`.
    """

    kv_type: KVType
    head_dim: int
    keys: Tensor  # [blocks, kv_heads, head_dim, BLOCK_SIZE]
    values: Tensor  # [blocks, kv_heads, BLOCK_SIZE, head_dim]
    key_scales: Tensor | None  # float32 [blocks, kv_heads, BLOCK_SIZE], of an int8 or fp8 cache
    value_scales: Tensor | None

    @classmethod
    def empty(
        cls, blocks: int, kv_heads: int, head_dim: int, kv_type: KVType, device: torch.device | None = None
    ) -> LayerCache:
        """Room for `blocks` blocks; on a CPU a block takes memory once something is stored in it.

        Raises:
            UsageError: heads of that size cannot be stored so.
        """
        kv_type.token_bytes(head_dim)  # refuses what does not fit
        if kv_type is KVType.INT4:
            groups = head_dim // kv_int4.GROUP
            sizes = (kv_int4.KEY_GROUP_BYTES, kv_int4.VALUE_GROUP_BYTES)
            keys, values = (
                torch.empty(blocks, kv_heads, groups * size, dtype=torch.uint8, device=device) for size in sizes
            )
            return cls(kv_type, head_dim, keys, values, None, None)
        dtype: torch.dtype = torch.uint8 if kv_type is KVType.FP8 else getattr(torch, kv_type)
        count = 2 * (kv_type in LARGEST_CODES)
        scales = [torch.empty(blocks, kv_heads, BLOCK_SIZE, device=device) for _ in range(count)]
        return cls(
            kv_type,
            head_dim,
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
        return kernels.LayerCache(_NUMBERS[self.kv_type], *pointers, self.keys.shape[1], self.head_dim)


@dataclass(eq=False, slots=True)
class Span:
    """The tokens of one sequence in a batch: the last `tokens` of its `context`, which lies in `blocks`."""

    tokens: int
    context: int
    blocks: Tensor  # int32 [at least blocks_for(context)]


def fill_block_table(block_table: Tensor, spans: Sequence[Span]) -> None:
    """Write where the spans lie into the first rows of a table, int32 `[at least len(spans), blocks]`."""
    for row, span in zip(block_table, spans, strict=False):
        count = blocks_for(span.context)
        row[:count] = span.blocks[:count]


@dataclass(frozen=True)
class PagedTables:
    """Where the tokens of a batch lie, as tensors on the device that computes."""

    positions: Tensor  # int64 [tokens]: of each token in its sequence
    slots: Tensor  # int64 [tokens]: its place in the cache; below zero: it is not kept
    block_table: Tensor  # int32 [sequences, at least blocks_for(longest)]
    contexts: Tensor  # int32 [sequences]
    longest: int  # no context is longer

    @classmethod
    def of(cls, batch: PagedBatch, device: torch.device) -> PagedTables:
        """Those of a batch."""
        longest = max((span.context for span in batch.spans), default=0)
        block_table = torch.zeros(len(batch.spans), blocks_for(longest), dtype=torch.int32)
        fill_block_table(block_table, batch.spans)
        contexts = torch.tensor([span.context for span in batch.spans], dtype=torch.int32)
        places = batch.positions.to(device), batch.slots.to(device)
        return cls(*places, block_table.to(device), contexts.to(device), longest)


@dataclass(frozen=True)
class PagedBatch:
    """Tokens of several sequences, one sequence after another."""

    spans: Sequence[Span]
    causal: bool = True  # a token sees its sequence up to itself; else all of it

    @classmethod
    def of_tables(cls, tables: PagedTables) -> PagedBatch:
        """One token of each sequence, known by tensors alone, whose numbers may change between two runs."""
        batch = cls(())
        batch._tables[tables.contexts.device] = tables
        return batch

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
    def is_decoding(self) -> bool:
        """Whether there is one token of each sequence."""
        return self.causal and all(span.tokens == 1 for span in self.spans)

    @cached_property
    def singles(self) -> tuple[PagedBatch, Tensor]:
        """Those sequences that have one token here, and its row: int64 `[sequences]`."""
        ends = list(accumulate(span.tokens for span in self.spans))
        found = [(span, end - 1) for span, end in zip(self.spans, ends, strict=True) if span.tokens == 1]
        return PagedBatch([span for span, _ in found]), torch.tensor([row for _, row in found], dtype=torch.int64)

    def tables_on(self, device: torch.device) -> PagedTables:
        """The tables for kernels of a device, brought there once."""
        if device not in self._tables:
            self._tables[device] = PagedTables.of(self, device)
        return self._tables[device]

    def positions_on(self, device: torch.device) -> Tensor:
        """`positions` on a device. On a CPU nothing else is worked out: its kernels want no tables."""
        if device.type == "cpu" and device not in self._tables:
            return self.positions
        return self.tables_on(device).positions

    @cached_property
    def _tables(self) -> dict[torch.device, PagedTables]:
        return {}

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
