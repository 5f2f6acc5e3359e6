"""`BatchBuilder`: from the chunks of a step to what goes through the model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from collections.abc import Sequence as ListOf

import torch
from torch import Tensor

from mistralet.engine.scheduler import Chunk
from mistralet.model import ForwardBatch, ImageRows, MistralSmall, PromptImage
from mistralet.ops import PagedBatch, Span

# Encoded images that are kept for the next turn or request, in bytes.
_IMAGE_BYTES = 256 << 20
# Encoded together, at most: the patches of the largest image. Small ones share the reading of the encoder's weights.
_PATCHES_AT_ONCE = 110 * 110


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
        for chunk in chunks:
            sequence, start = chunk.sequence, chunk.sequence.computed
            ids += sequence.ids[start : start + chunk.tokens]
            ids += chunk.draft
            tokens = chunk.tokens + len(chunk.draft)
            spans.append(Span(tokens, start + tokens, sequence.block_table))
        return ForwardBatch(torch.tensor(ids), PagedBatch(spans), self._image_rows(chunks))

    def _image_rows(self, chunks: ListOf[Chunk]) -> ImageRows | None:
        """What stands in the place of the image tokens among those of the chunks."""
        found: list[tuple[PromptImage, int, int, int]] = []  # image, start and end in its prompt, place of start
        first = 0
        for chunk in chunks:
            start = chunk.sequence.computed
            end = start + chunk.tokens
            found += [
                (image, start, end, first) for image in chunk.sequence.images if image.start < end and start < image.end
            ]
            first += chunk.tokens + len(chunk.draft)
        if not found:
            return None
        encoded = self._encoded([image for image, _, _, _ in found])
        places: list[int] = []
        embeddings: list[Tensor] = []
        for image, start, end, first in found:
            tokens, piece = image.image_tokens(start, end)
            places += [first + token - start for token in tokens]
            embeddings.append(encoded[image.digest][piece : piece + len(tokens)])
        return ImageRows(torch.tensor(places, dtype=torch.int64), torch.cat(embeddings))

    def _encoded(self, images: ListOf[PromptImage]) -> dict[str, Tensor]:
        """What each image was encoded to, `[pieces, hidden_size]`, by digest."""
        missing = {image.digest: image.pixels for image in images if image.digest not in self._images}
        for digests in self._groups(missing):
            pixels = [missing[digest].to(self.device) for digest in digests]
            self._images.update(zip(digests, self.model.encode_images(pixels), strict=True))
        encoded = {image.digest: self._images[image.digest] for image in images}
        for digest in encoded:
            self._images.move_to_end(digest)
        held = sum(kept.nbytes for kept in self._images.values())
        while held > _IMAGE_BYTES and len(self._images) > 1:
            _, dropped = self._images.popitem(last=False)
            held -= dropped.nbytes
        return encoded

    def _groups(self, pixels: dict[str, Tensor]) -> Iterator[list[str]]:
        """The images that are encoded together."""
        if not pixels:
            return
        assert self.model.config.vision is not None
        patch = self.model.config.vision.patch_size**2
        group: list[str] = []
        patches = 0
        for digest, image in pixels.items():
            count = image.shape[1] * image.shape[2] // patch
            if group and patches + count > _PATCHES_AT_ONCE:
                yield group
                group, patches = [], 0
            group.append(digest)
            patches += count
        yield group
