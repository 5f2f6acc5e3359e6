"""What goes through the model in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mistralet.model.kv_cache import KVCache
from mistralet.ops import PagedBatch, Span, blocks_for


@dataclass(frozen=True)
class ForwardBatch:
    """Tokens of several sequences that go through the model together, and where their sequences lie in the cache."""

    input_ids: Tensor  # int64 [tokens], one sequence after another
    places: PagedBatch
    # [image tokens, hidden_size]: rows for the image tokens among input_ids, in their order
    image_embeddings: Tensor | None = None

    @classmethod
    def alone(
        cls, ids: Sequence[int], start: int, cache: KVCache, image_embeddings: Tensor | None = None
    ) -> ForwardBatch:
        """The tokens from position `start` on of a sequence that has the cache to itself.

        Raises:
            ValueError: the cache has no room for them.
        """
        context = start + len(ids)
        if blocks_for(context) > cache.blocks:
            raise ValueError(f"{context} tokens do not fit the {cache.blocks} blocks of the cache")
        span = Span(len(ids), context, torch.arange(blocks_for(context), dtype=torch.int32))
        return cls(torch.tensor(ids), PagedBatch([span]), image_embeddings)
