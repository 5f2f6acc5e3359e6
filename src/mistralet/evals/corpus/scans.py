"""Pages as a scanner gives them: askew, blurred, grey, with specks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image


def scanned(page: bytes, seed: int) -> Image.Image:
    """A picture of a page as a machine in an office gives it, in grey.

    Args:
        page: a PNG file.
        seed: of what is at random.
    """
    import numpy as np
    from PIL import Image, ImageFilter

    noise = np.random.default_rng(seed)
    sheet = Image.open(io.BytesIO(page)).convert("L")
    sheet = sheet.rotate(float(noise.uniform(-1.2, 1.2)), Image.Resampling.BICUBIC, fillcolor=255)
    sheet = sheet.filter(ImageFilter.GaussianBlur(float(noise.uniform(0.3, 0.8))))
    pixels = np.asarray(sheet, np.float32) * float(noise.uniform(0.86, 0.97))
    pixels += noise.normal(0, 7, pixels.shape)
    pixels[noise.random(pixels.shape) < 2e-4] = 60
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
