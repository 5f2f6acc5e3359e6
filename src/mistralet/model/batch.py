"""What goes through the model in one step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mistralet.ops import PagedBatch, Span, blocks_for

# Ids, and of each span its tokens, its context and its blocks.
BatchLists = tuple[list[int], list[tuple[int, int, list[int]]]]


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

    def as_lists(self) -> BatchLists:
        """All of it but the images, for another process."""
        spans = [
            (span.tokens, span.context, span.blocks[: blocks_for(span.context)].tolist()) for span in self.places.spans
        ]
        return self.input_ids.tolist(), spans

    def image_tensors(self) -> tuple[Tensor, ...]:
        """The rest of it: nothing, or places and embeddings of images."""
        return (
            ()
            if self.images is None
            else (self.images.places.to(self.images.embeddings.device), self.images.embeddings)
        )

    @classmethod
    def of_lists(cls, lists: BatchLists, tensors: Sequence[Tensor]) -> ForwardBatch:
        """The batch that `as_lists` and `image_tensors` told of."""
        ids, told = lists
        spans = [Span(tokens, context, torch.tensor(blocks, dtype=torch.int32)) for tokens, context, blocks in told]
        images = ImageRows(*tensors) if tensors else None
        return cls(torch.tensor(ids), PagedBatch(spans), images)
