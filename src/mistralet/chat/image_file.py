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

_UNREADABLE = "the image cannot be read: it is cut short or damaged; send it again"


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

    formats: dict[bytes, type[ImageFile.ImageFile]] = {
        b"\x89PNG": PngImageFile,
        b"\xff\xd8\xff": JpegImageFile,
        b"RIFF": WebPImageFile,
        b"GIF8": GifImageFile,
        b"BM": BmpImageFile,
        b"II*\0": TiffImageFile,
        b"MM\0*": TiffImageFile,
    }
    if not data:
        raise ImageError("the image is empty (0 bytes); send it again")
    for magic, image_file in formats.items():
        if data.startswith(magic):
            try:
                return image_file(io.BytesIO(data))
            except Exception as error:  # see decode_image
                raise ImageError(_UNREADABLE) from error
    raise ImageError("the image is of an unknown format; send a PNG, JPEG, WebP, GIF, BMP or TIFF")


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
