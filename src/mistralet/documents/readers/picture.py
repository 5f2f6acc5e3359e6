"""Picture files: each frame of a TIFF file is a page, of others there is one; their text is not read here."""

from __future__ import annotations

import io
import warnings
from typing import Any

from mistralet.documents.document import Page
from mistralet.documents.readers.unreadable import DamagedPageError, Limits, UnreadableError

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")
_POINTS = 842  # of A4's longer side
_ORIENTATION, _ON_THEIR_SIDE = 0x0112, (5, 6, 7, 8)  # of Exif
_MOST_PIXELS = 80_000_000


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    image = _opened(data)
    count = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
    limits.check(count, 0)
    return [Page(number, "", is_scan=True, size=_size(image, number)) for number in range(1, count + 1)]


def picture(data: bytes, number: int, side: int) -> bytes:
    """A frame as a PNG file, the way up that the camera noted, at most `side` pixels along its longer side."""
    from PIL import ImageOps

    image = _opened(data)
    try:
        image.seek(number - 1)
        if image.width * image.height > _MOST_PIXELS:
            raise UnreadableError(f"has more than {_MOST_PIXELS // 1_000_000} million pixels; make it smaller")
        image.load()
        upright = ImageOps.exif_transpose(image)
    except (OSError, EOFError, ValueError, SyntaxError) as error:
        raise DamagedPageError("cannot be read: it is cut short or damaged; get it again") from error
    if upright.mode.startswith("I;16"):
        upright = upright.point(lambda value: value / 256).convert("L")
    upright = _on_white(upright)
    upright.thumbnail((side, side))
    file = io.BytesIO()
    upright.save(file, "PNG")
    return file.getvalue()


def _size(image: Any, number: int) -> tuple[float, float]:
    """Width and height of a frame in points, as if its longer side were A4's: what files say of this is often wrong."""
    try:
        image.seek(number - 1)
    except (OSError, EOFError, ValueError, SyntaxError) as error:
        raise UnreadableError("cannot be read: it is cut short or damaged; get it again") from error
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _ON_THEIR_SIDE:
        width, height = height, width
    scale = _POINTS / max(width, height)
    return width * scale, height * scale


def _opened(data: bytes) -> Any:
    from PIL import Image, UnidentifiedImageError

    warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # a limit of our own is held
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableError("cannot be read as a picture: it is damaged or far too large; get it again") from error


def _on_white(image: Any) -> Any:
    from PIL import Image

    if image.mode == "RGB":
        return image
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")
