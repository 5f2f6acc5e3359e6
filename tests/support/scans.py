"""Scans: files of pictures, made for tests."""

from __future__ import annotations

import io

from PIL import Image


def tiff(*sizes: tuple[int, int], noise: int = 0) -> bytes:
    """A frame of each size: white, or noise around grey."""
    file = io.BytesIO()
    first, *others = [Image.effect_noise(size, noise) if noise else Image.new("L", size, 255) for size in sizes]
    first.save(file, "TIFF", save_all=True, append_images=others, compression="tiff_adobe_deflate" if noise else None)
    return file.getvalue()
