"""Pictures as the vision encoder was trained to see them (SPEC 4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from mistralet.chat.image_file import decode_image, frame_count
from mistralet.chat.messages import ImagePart
from mistralet.config import VisionConfig
from mistralet.config.model import PIXEL_MEAN, PIXEL_STD
from mistralet.errors import ImageError


def token_grid(width: int, height: int, vision: VisionConfig) -> tuple[int, int]:
    """Columns and rows of text tokens that a picture of `width` x `height` pixels becomes."""
    shrink = max(width / vision.image_size, height / vision.image_size)
    if shrink > 1:
        width, height = max(round(width / shrink), 1), max(round(height / shrink), 1)
    side = vision.merged_patch_size
    return (width - 1) // side + 1, (height - 1) // side + 1


def image_parts(data: bytes) -> tuple[ImagePart, ...]:
    """The pictures in a file, as parts of a message: one for each page of a TIFF.

    Raises:
        ImageError: it has too many pages.
    """
    return tuple(ImagePart(data, frame) for frame in range(frame_count(data)))


def preprocess(part: ImagePart, vision: VisionConfig) -> torch.Tensor:
    """A picture to what the vision encoder takes.

    Returns:
        [3, height, width] float32, normalised; height and width are multiples of `vision.merged_patch_size`.

    Raises:
        ImageError: the picture cannot be read or is too large.
    """
    pixels = decode_image(part.data, part.frame)
    columns, rows = token_grid(pixels.shape[1], pixels.shape[0], vision)
    side = vision.merged_patch_size
    resized = _resize(pixels, rows * side, columns * side)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (PIXEL_MEAN, PIXEL_STD))
    return resized.div_(255).sub_(mean).div_(std)


def image_tokens(columns: int, rows: int, vision: VisionConfig) -> list[int]:
    """The prompt tokens of one picture: rows of image tokens, a break between rows, an end after the last."""
    row = [vision.image_token_id] * columns + [vision.image_break_token_id]
    return [*(row * rows)[:-1], vision.image_end_token_id]


def no_vision(index: int) -> ImageError:
    """The error for a picture in `messages[index]` given to a model without vision."""
    return ImageError(f"messages[{index}] holds a picture, but this model reads text only; leave it out")


def _resize(pixels: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Bicubic, a = -0.75, without antialiasing or clamping: [h, w, 3] uint8 -> [3, height, width] float32.

    In float64, for the place of a source pixel: OpenCV, which the reference uses, takes it so since release 5, and in
    float32 it is off by enough to show far from the left edge.
    """
    # One colour at a time: a large photograph would be eight times its size at once.
    colours = [
        F.interpolate(colour[None, None].double(), size=(height, width), mode="bicubic", align_corners=False)[0, 0]
        for colour in pixels.unbind(-1)
    ]
    return torch.stack([colour.float() for colour in colours])
