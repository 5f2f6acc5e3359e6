"""Pictures inside a URL (RFC 2397): `data:image/png;base64,...`."""

from __future__ import annotations

import base64
import binascii
import re

from mistralet.chat.image_file import MAX_BYTES, media_type
from mistralet.errors import ImageError

_HEAD = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)


def to_data_url(data: bytes) -> str:
    """The URL that holds a picture's file."""
    return f"data:{media_type(data)};base64,{base64.b64encode(data).decode()}"


def decoded_size(encoded: str) -> int:
    """Bytes of what is written in base64, in which up to two characters at the end stand for none."""
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")


def from_data_url(url: str) -> bytes:
    """The file in a URL that begins with "data:".

    Raises:
        ImageError: it is not in base64, damaged, or larger than `MAX_BYTES`.
    """
    head = _HEAD.match(url)
    if head is None:
        raise ImageError("the data: URL is not in base64; write it as data:image/png;base64,...")
    encoded = url[head.end() :]
    if decoded_size(encoded) > MAX_BYTES:
        raise ImageError(f"the picture in the data: URL is larger than {MAX_BYTES >> 20} MB; shrink it")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ImageError(f"the base64 of the data: URL is damaged ({error}); encode the file again") from error
