"""The bytes of a picture file to its pixels."""

from __future__ import annotations

import importlib
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

MAX_FRAMES = 256

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
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")

_ORIENTATION = 0x0112  # the key of EXIF

_UNREADABLE = "the image cannot be read: it is cut short or damaged; send it again"


def media_type(data: bytes) -> str:
    """The media type of a picture file, told from its first bytes."""
    for magic, name in _MEDIA_TYPES.items():
        if data.startswith(magic):
            return name
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return "image/heic"
    return "application/octet-stream"


def frame_count(data: bytes) -> int:
    """The pictures in a file: the pages of a TIFF, as far as it can be read; of anything else 1.

    An animation shows what its first frame does.

    Raises:
        ImageError: there are more than `MAX_FRAMES`.
    """
    if media_type(data) != "image/tiff":
        return 1
    try:
        image = _open(data)
    except ImageError:
        return 1  # `decode_image` says what is wrong with it
    for frame in range(1, MAX_FRAMES + 1):
        try:
            image.seek(frame)
        except Exception:  # the end, or see decode_image
            return frame
    raise ImageError(f"the image has more than {MAX_FRAMES} pages; send some of them")


def image_size(data: bytes, frame: int = 0) -> tuple[int, int]:
    """Width and height of a picture file, in pixels; they are not decoded.

    Raises:
        ImageError: the bytes are no picture (see `decode_image`).
    """
    return _open_frame(data, frame).size


def upright(data: bytes) -> bytes:
    """A picture file whose pixels are turned as the camera noted (EXIF), which the model's reference does not do.

    The same file if it notes nothing or is a TIFF; else a new one, of a JPEG a JPEG of quality 95.

    Raises:
        ImageError: see `decode_image`.
    """
    from PIL import ImageOps

    kind = media_type(data)
    image = _open(data)
    if kind == "image/tiff" or image.getexif().get(_ORIENTATION, 1) == 1:
        return data
    _check_pixels(image)
    try:
        image.load()
        turned = ImageOps.exif_transpose(image)
        file = io.BytesIO()
        turned.save(file, "JPEG" if kind == "image/jpeg" else "PNG", quality=95, subsampling=0)
    except Exception as error:  # see decode_image
        raise ImageError(_UNREADABLE) from error
    return file.getvalue()


def decode_image(data: bytes, frame: int = 0) -> torch.Tensor:
    """The pixels of a picture file, [height, width, 3] uint8 RGB; transparency becomes white.

    No rotation by EXIF, as in the reference (SPEC 4); `upright` gives a file that is turned.

    Args:
        frame: which page of a TIFF file; of an animation the first is what it shows.

    Raises:
        ImageError: the bytes are no PNG, JPEG, WebP, GIF, BMP, TIFF or HEIC (which takes a library), are damaged, or
            hold more than `MAX_PIXELS`.
    """
    image = _open_frame(data, frame)
    _check_pixels(image)
    try:
        image.load()
        return torch.from_numpy(np.array(_to_rgb(image)))
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise ImageError(_UNREADABLE) from error


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"the image has {image.width} x {image.height} pixels, more than {MAX_PIXELS // 1_000_000} million; "
            "make it smaller"
        )


def _open_frame(data: bytes, frame: int) -> ImageFile.ImageFile:
    image = _open(data)
    try:
        image.seek(frame)
    except EOFError as error:
        raise ImageError(f"the image has no page {frame + 1}; send another") from error
    except Exception as error:  # see decode_image
        raise ImageError(_UNREADABLE) from error
    return image


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
    kind = media_type(data)
    image_file = _heif_file() if kind == "image/heic" else formats.get(kind)
    if image_file is None:
        raise ImageError("the image is of an unknown format; send a PNG, JPEG, WebP, GIF, BMP or TIFF")
    try:
        return image_file(io.BytesIO(data))
    except Exception as error:  # see decode_image
        raise ImageError(_UNREADABLE) from error


def _heif_file() -> type[ImageFile.ImageFile]:
    """What opens pictures of Apple's cameras, from whichever of two libraries is there; neither is asked for."""
    for name in ("pi_heif", "pillow_heif"):
        try:
            found: type[ImageFile.ImageFile] = importlib.import_module(f"{name}.as_plugin").HeifImageFile
        except ImportError:
            continue
        return found
    raise ImageError("the image is HEIC, which takes a library: 'pip install pi-heif', or send it as JPEG")


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
