"""`BatchBuilder`: from the chunks of a step to what goes through the model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence as ListOf

import torch
from torch import Tensor

from mistralet.engine.scheduler import Chunk
from mistralet.engine.sequence import Sequence
from mistralet.model import ForwardBatch, ImageRows, MistralSmall, PromptImage
from mistralet.ops import PagedBatch, Span

# Encoded images that are kept for the next turn or request, in bytes.
_IMAGE_BYTES = 256 << 20


class BatchBuilder:
    """Puts chunks together to a batch; keeps what images were encoded to."""

    def __init__(self, model: MistralSmall) -> None:
        self.model = model
        self.device = model.norm.weight.device
        self._images: OrderedDict[str, Tensor] = OrderedDict()  # by digest, latest use last

    def batch(self, chunks: ListOf[Chunk]) -> ForwardBatch:
        """The chunks, one after another; images are encoded."""
        ids: list[int] = []
        spans: list[Span] = []
        places: list[int] = []
        embeddings: list[Tensor] = []
        for chunk in chunks:
            sequence, start = chunk.sequence, chunk.sequence.computed
            end = start + chunk.tokens
            for image in sequence.images:
                if image.start < end and start < image.end:
                    rows, first = self._image_rows(sequence, image, start, end)
                    places += [len(ids) + place - start for place in rows]
                    embeddings.append(self._encoded(image)[first : first + len(rows)])
            ids += sequence.ids[start:end]
            ids += chunk.draft
            end += len(chunk.draft)
            spans.append(Span(end - start, end, sequence.block_table))
        images = ImageRows(torch.tensor(places), torch.cat(embeddings)) if places else None
        return ForwardBatch(torch.tensor(ids), PagedBatch(spans), images)

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
