"""`ModelRunner`: from the chunks of a step to the scores of the tokens that follow them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence as ListOf

import torch
from torch import Tensor

from mistralet.engine.scheduler import Chunk
from mistralet.engine.sequence import Sequence
from mistralet.model import ForwardBatch, ImageRows, KVCache, MistralSmall, PromptImage
from mistralet.ops import PagedBatch, Span

# Encoded images that are kept for the next turn or request, in bytes.
_IMAGE_BYTES = 256 << 20


class ModelRunner:
    """Puts chunks together to a batch and runs it; keeps what images were encoded to."""

    def __init__(self, model: MistralSmall, cache: KVCache) -> None:
        self.model = model
        self.cache = cache
        self.device = model.norm.weight.device
        self._images: OrderedDict[str, Tensor] = OrderedDict()  # by digest, latest use last

    def run(self, chunks: ListOf[Chunk]) -> Tensor:
        """Hidden states after the chunks' tokens, `[tokens, hidden_size]`; keys and values join the cache."""
        ids: list[int] = []
        spans: list[Span] = []
        places: list[int] = []
        embeddings: list[Tensor] = []
        for chunk in chunks:
            sequence, start = chunk.sequence, chunk.sequence.computed
            end = start + chunk.tokens
            for image in sequence.request.prompt.images:
                if image.start < end and start < image.end:
                    rows, first = self._image_rows(sequence, image, start, end)
                    places += [len(ids) + place - start for place in rows]
                    embeddings.append(self._encoded(image)[first : first + len(rows)])
            ids += sequence.ids[start:end]
            ids += chunk.draft
            tokens = chunk.tokens + len(chunk.draft)
            spans.append(Span(tokens, start + tokens, sequence.block_table))
        images = ImageRows(torch.tensor(places), torch.cat(embeddings)) if places else None
        hidden: Tensor = self.model(ForwardBatch(torch.tensor(ids), PagedBatch(spans), images), self.cache)
        return hidden

    def _image_rows(self, sequence: Sequence, image: PromptImage, start: int, end: int) -> tuple[list[int], int]:
        """The places from `start` to `end` that take rows of an image, and which row is the first of them."""
        assert self.model.config.vision is not None
        image_token = self.model.config.vision.image_token_id
        rows = [place for place in range(image.start, image.end) if sequence.ids[place] == image_token]
        first = sum(place < start for place in rows)
        return [place for place in rows if start <= place < end], first

    def _encoded(self, image: PromptImage) -> Tensor:
        rows = self._images.get(image.digest)
        if rows is None:
            (rows,) = self.model.encode_images([image.pixels.to(self.device)])
            self._images[image.digest] = rows
            held = sum(kept.nbytes for kept in self._images.values())
            while held > _IMAGE_BYTES and len(self._images) > 1:
                _, dropped = self._images.popitem(last=False)
                held -= dropped.nbytes
        self._images.move_to_end(image.digest)
        return rows
