"""What goes through the model in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mistralet.ops import PagedBatch, Span, blocks_for


@dataclass(frozen=True)
class ImageRows:
    """What stands in the place of tokens that are parts of images."""

    places: Tensor  # int64 [image tokens]: their places among the batch's tokens
    embeddings: Tensor  # [image tokens, hidden_size]


@dataclass(frozen=True)
class ForwardBatch:
    """Tokens of several sequences that go through the model together, and where their sequences lie in the cache."""

    input_ids: Tensor  # int64 [tokens], one sequence after another
    places: PagedBatch
    images: ImageRows | None = None

    @classmethod
    def alone(cls, ids: Sequence[int], start: int, images: ImageRows | None = None) -> ForwardBatch:
        """The tokens from position `start` on of a sequence that has a cache to itself."""
        context = start + len(ids)
        span = Span(len(ids), context, torch.arange(blocks_for(context), dtype=torch.int32))
        return cls(torch.tensor(ids), PagedBatch([span]), images)
