"""Pictures of noise, as the bytes of files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image


def noise(width: int, height: int, channels: int = 3, seed: int = 0) -> Image.Image:
    """RGB (or RGBA) noise, on which every difference in resizing shows."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return Image.fromarray(values)


def as_bytes(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    """The file that holds `image`."""
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()
