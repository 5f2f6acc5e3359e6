from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from mistral_common.protocol.instruct.chunk import ImageChunk
from mistral_common.tokens.tokenizers.image import ImageConfig, ImageEncoder, SpecialImageIDs

from mistralet.chat import ImagePart
from mistralet.chat.images import image_tokens, preprocess, token_grid
from mistralet.config import VisionConfig
from support.pictures import as_bytes, noise

REFERENCE = ImageEncoder(ImageConfig(14, 1540, 2), SpecialImageIDs(img=10, img_break=12, img_end=13))


@pytest.mark.parametrize(
    ("width", "height", "columns", "rows", "total"),
    [  # SPEC 4
        (1540, 1540, 55, 55, 3080),
        (512, 512, 19, 19, 380),
        (1000, 700, 36, 25, 925),
        (1920, 1080, 55, 31, 1736),
        (4000, 3000, 55, 42, 2352),
        (2000, 1000, 55, 28, 1568),
        (640, 480, 23, 18, 432),
        (224, 224, 8, 8, 72),
        (1, 1, 1, 1, 2),
        (28, 28, 1, 1, 2),
        (1541, 113, 55, 5, 280),
        (100_000, 1, 55, 1, 56),
    ],
)
def test_token_counts(vision: VisionConfig, width: int, height: int, columns: int, rows: int, total: int) -> None:
    assert token_grid(width, height, vision) == (columns, rows)
    tokens = image_tokens(columns, rows, vision)
    assert len(tokens) == total
    assert [tokens.count(token) for token in (10, 12, 13)] == [columns * rows, rows - 1, 1]


def test_tokens_of_a_small_grid(vision: VisionConfig) -> None:
    assert image_tokens(3, 2, vision) == [10, 10, 10, 12, 10, 10, 10, 13]


SIZES = [(1, 1), (13, 7), (28, 28), (29, 27), (3, 50), (333, 777), (640, 480), (1541, 113), (2001, 1003), (3000, 5)]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_pixels_and_tokens_are_those_of_the_reference(vision: VisionConfig, width: int, height: int) -> None:
    image = noise(width, height)
    expected = REFERENCE(ImageChunk(image=image))
    pixels = preprocess(ImagePart(as_bytes(image, "BMP")), vision)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous()
    np.testing.assert_allclose(pixels.numpy(), expected.image, rtol=0, atol=1e-5)  # of 255 grey levels less than 1e-3
    assert image_tokens(*token_grid(width, height, vision), vision) == expected.tokens


def test_an_image_that_fits_is_not_resampled(vision: VisionConfig) -> None:
    image = noise(56, 84)
    np.testing.assert_array_equal(
        preprocess(ImagePart(as_bytes(image)), vision).numpy(), REFERENCE(ImageChunk(image=image)).image
    )


def test_other_patch_sizes(vision: VisionConfig) -> None:
    small = replace(vision, patch_size=16, image_size=64, spatial_merge_size=1)
    assert token_grid(128, 100, small) == (4, 4)
    assert preprocess(ImagePart(as_bytes(noise(128, 100))), small).shape == (3, 64, 64)
