from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from mistralet.engine import batch_builder
from mistralet.engine.batch_builder import BatchBuilder
from mistralet.engine.scheduler import Chunk
from mistralet.model import MistralSmall, PromptImage


class Encoder:
    """Stands for a model: an image becomes one row for each piece, all of the image's first pixel, plus the row."""

    def __init__(self) -> None:
        self.calls: list[int] = []  # images in each
        self.norm = SimpleNamespace(weight=torch.empty(1))
        self.config = SimpleNamespace(vision=SimpleNamespace(patch_size=14))

    def encode_images(self, images: list[Tensor]) -> list[Tensor]:
        self.calls.append(len(images))
        counts = [image.shape[1] * image.shape[2] // 28**2 for image in images]
        return [(image[0, 0, 0] + torch.arange(count))[:, None] for image, count in zip(images, counts, strict=True)]


def image(value: float, start: int, columns: int = 2, rows: int = 2) -> PromptImage:
    return PromptImage(torch.full((3, 28 * rows, 28 * columns), float(value)), f"{value}", start, columns, rows)


def chunk(images: list[PromptImage], start: int, tokens: int) -> Chunk:
    table = torch.zeros(8, dtype=torch.int32)
    sequence = SimpleNamespace(images=images, computed=start, ids=list(range(100)), block_table=table)
    return Chunk(cast("Any", sequence), tokens)


def builder() -> tuple[BatchBuilder, Encoder]:
    encoder = Encoder()
    return BatchBuilder(cast("MistralSmall", encoder)), encoder


def test_images_of_a_step_are_encoded_together_and_each_once() -> None:
    batches, encoder = builder()
    first = [image(100, start=1), image(200, start=8)]
    batch = batches.batch([chunk(first, 0, 20), chunk([image(100, start=3)], 2, 5)])
    assert encoder.calls == [2]
    assert batch.images is not None
    assert batch.images.places.tolist() == [1, 2, 4, 5, 8, 9, 11, 12, 21, 22, 24]
    assert batch.images.embeddings.flatten().tolist() == [100, 101, 102, 103, 200, 201, 202, 203, 100, 101, 102]
    batches.batch([chunk(first, 10, 5)])
    assert encoder.calls == [2]


def test_many_images_are_encoded_in_groups_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_builder, "_PATCHES_AT_ONCE", 40)
    batches, encoder = builder()
    images = [image(value, start=10 * value) for value in range(5)] + [image(9, start=50, columns=5, rows=5)]
    batches.batch([chunk(images, 0, 90)])
    assert encoder.calls == [2, 2, 1, 1]  # 16 patches each, and one of 100


def test_what_was_used_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_builder, "_IMAGE_BYTES", 2 * 4 * 4)  # two images
    batches, encoder = builder()
    a, b, c = (image(value, start=1) for value in (1, 2, 3))
    for each in (a, b, a, c, a):
        batches.batch([chunk([each], 0, 9)])
    assert encoder.calls == [1, 1, 1]
    batches.batch([chunk([b], 0, 9)])
    assert encoder.calls == [1, 1, 1, 1]


def test_without_images() -> None:
    batches, _ = builder()
    assert batches.batch([chunk([], 0, 3), chunk([image(1, start=5)], 0, 5)]).images is None
