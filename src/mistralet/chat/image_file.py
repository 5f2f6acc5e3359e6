"""The bytes of a picture file to its pixels."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import torch

from mistralet.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image, ImageFile

# Below the size at which Pillow starts to warn; as RGB it is 240 MB.
MAX_PIXELS = 80_000_000

MAX_BYTES = 100 << 20

# By the first bytes of a file.
_MEDIA_TYPES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
}

_UNREADABLE = "the image cannot be read: it is cut short or damaged; send it again"


def media_type(data: bytes) -> str:
    """The media type of a picture file, told from its first bytes."""
    for magic, name in _MEDIA_TYPES.items():
        if data.startswith(magic):
            return name
    return "application/octet-stream"


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height of a picture file, in pixels; they are not decoded.

    Raises:
        ImageError: the bytes are no picture (see `decode_image`).
    """
    return _open(data).size


def decode_image(data: bytes) -> torch.Tensor:
    """The pixels of a picture file, [height, width, 3] uint8 RGB; transparency becomes white.

    The first frame of an animation; no rotation by EXIF, as in the reference (SPEC 4).

    Raises:
        ImageError: the bytes are no PNG, JPEG, WebP, GIF, BMP or TIFF, are damaged, or hold more than `MAX_PIXELS`.
    """
    image = _open(data)
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"the image has {image.width} x {image.height} pixels, more than {MAX_PIXELS // 1_000_000} million; "
            "make it smaller"
        )
    try:
        image.load()
        return torch.from_numpy(np.array(_to_rgb(image)))
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise ImageError(_UNREADABLE) from error


def _open(data: bytes) -> ImageFile.ImageFile:
    # Formats are opened by their classes: Image.open would try all of Pillow's forty, some of which start other
    # programs, and raises on a large image before its size can be told.
    from PIL.BmpImagePlugin import BmpImageFile
    from PIL.GifImagePlugin import GifImageFile
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.TiffImagePlugin import TiffImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    formats: dict[str, type[ImageFile.ImageFile]] = {
        "image/png": PngImageFile,
        "image/jpeg": JpegImageFile,
        "image/webp": WebPImageFile,
        "image/gif": GifImageFile,
        "image/bmp": BmpImageFile,
        "image/tiff": TiffImageFile,
    }
    if not data:
        raise ImageError("the image is empty (0 bytes); send it again")
    image_file = formats.get(media_type(data))
    if image_file is None:
        raise ImageError("the image is of an unknown format; send a PNG, JPEG, WebP, GIF, BMP or TIFF")
    try:
        return image_file(io.BytesIO(data))
    except Exception as error:  # see decode_image
        raise ImageError(_UNREADABLE) from error


def _to_rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode == "RGB":
        return image
    if image.mode.startswith("I;16"):
        # Pillow would clip 16 bits to 255, which leaves a white sheet.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.paste(image, mask=image)
    return white.convert("RGB")
