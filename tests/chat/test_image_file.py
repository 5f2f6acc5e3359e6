from __future__ import annotations

import io
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from mistralet.chat.image_file import MAX_FRAMES, MAX_PIXELS, decode_image, frame_count, image_size, media_type, upright
from mistralet.errors import ImageError
from support.pictures import as_bytes, noise

RGB = noise(30, 20)
RGBA = noise(30, 20, channels=4)
PALETTE = RGB.quantize(16)


def on_white(image: Image.Image) -> np.ndarray:
    """What mistral-common makes of an image before resizing it (its rule, through Pillow)."""
    from mistral_common.tokens.tokenizers.image import _convert_to_rgb

    return np.asarray(_convert_to_rgb(image))


def png_header(width: int, height: int) -> bytes:
    """The start of a black-and-white PNG, whose pixels never come."""
    fields = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + fields + struct.pack(">I", zlib.crc32(fields)) + b"\0\0\0\0IDAT"
    )


FILES = {
    "png": as_bytes(RGB),
    "png-rgba": as_bytes(RGBA),
    "png-grey": as_bytes(RGB.convert("L")),
    "png-grey-alpha": as_bytes(RGBA.convert("LA")),
    "png-1-bit": as_bytes(RGB.convert("1")),
    "png-palette": as_bytes(PALETTE),
    "png-palette-one-transparent": as_bytes(PALETTE, transparency=3),
    "png-palette-transparencies": as_bytes(PALETTE, transparency=bytes(range(0, 160, 10))),
    "jpeg": as_bytes(RGB, "JPEG"),
    "jpeg-grey": as_bytes(RGB.convert("L"), "JPEG"),
    "jpeg-progressive": as_bytes(RGB, "JPEG", progressive=True),
    "jpeg-cmyk": as_bytes(RGB.convert("CMYK"), "JPEG"),
    "webp": as_bytes(RGBA, "WEBP"),
    "webp-animated": as_bytes(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(90)]),
    "gif": as_bytes(RGB, "GIF"),
    "gif-animated": as_bytes(RGB, "GIF", save_all=True, append_images=[RGB.rotate(90)]),
    "bmp": as_bytes(RGB, "BMP"),
    "tiff": as_bytes(RGBA, "TIFF", compression="tiff_lzw"),
    "tiff-cmyk": as_bytes(RGB.convert("CMYK"), "TIFF"),
    "tiff-32-bit": as_bytes(Image.fromarray(np.arange(600, dtype=np.int32).reshape(20, 30)), "TIFF"),
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_are_those_of_the_reference(name: str) -> None:
    pixels = decode_image(FILES[name])
    assert pixels.dtype == torch.uint8
    assert pixels.shape == (20, 30, 3)
    np.testing.assert_array_equal(pixels.numpy(), on_white(Image.open(io.BytesIO(FILES[name]))))


def test_transparent_is_white() -> None:
    assert decode_image(as_bytes(Image.new("RGBA", (2, 2), (0, 0, 0, 0)))).min() == 255


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_16_bits_keep_their_shades(format_: str) -> None:
    shades = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    pixels = decode_image(as_bytes(Image.fromarray(shades), format_))
    np.testing.assert_array_equal(pixels.numpy(), np.repeat((shades // 256)[..., None], 3, axis=-1))


def test_nothing_at_all() -> None:
    with pytest.raises(ImageError, match="is empty"):
        decode_image(b"")


@pytest.mark.parametrize("data", [b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", b"\0" * 100])
def test_other_formats(data: bytes) -> None:
    with pytest.raises(ImageError, match="unknown format; send a PNG"):
        decode_image(data)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_file_cut_short(name: str, share: float) -> None:
    data = FILES[name]
    with pytest.raises(ImageError, match="cannot be read: it is cut short or damaged") as caught:
        decode_image(data[: int(len(data) * share)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "magic", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBP", b"GIF89a", b"BM", b"II*\0"]
)
def test_only_the_first_bytes_of_a_file(magic: bytes) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        decode_image(magic)
    with pytest.raises(ImageError, match="cannot be read"):
        decode_image(magic + bytes(range(256)))


@pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (10_000, 9_500), (MAX_PIXELS + 1, 1)])
def test_an_image_too_large_to_decode(width: int, height: int) -> None:
    with pytest.raises(ImageError, match=f"has {width} x {height} pixels, more than 80 million"):
        decode_image(png_header(width, height))


PAGES = as_bytes(RGB, "TIFF", save_all=True, append_images=[noise(10, 40, seed=1), RGB.convert("1")])


def test_each_page_of_a_tiff() -> None:
    assert frame_count(PAGES) == 3
    assert [image_size(PAGES, frame) for frame in range(3)] == [(30, 20), (10, 40), (30, 20)]
    np.testing.assert_array_equal(decode_image(PAGES, 1).numpy(), np.asarray(noise(10, 40, seed=1)))
    with pytest.raises(ImageError, match="has no page 4"):
        decode_image(PAGES, 3)


@pytest.mark.parametrize("name", ["gif-animated", "webp-animated", "jpeg", "tiff"])
def test_all_else_is_one_picture(name: str) -> None:
    assert frame_count(FILES[name]) == 1


def test_a_tiff_of_too_many_pages() -> None:
    dot = Image.new("1", (1, 1))
    with pytest.raises(ImageError, match=f"more than {MAX_FRAMES} pages"):
        frame_count(as_bytes(dot, "TIFF", save_all=True, append_images=[dot] * MAX_FRAMES))


def with_orientation(image: Image.Image, format_: str, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return as_bytes(image, format_, exif=exif)


SMOOTH = Image.linear_gradient("L").resize((32, 48)).convert("RGB")


@pytest.mark.parametrize(("format_", "off_by"), [("PNG", 0), ("WEBP", 0), ("JPEG", 2)])
@pytest.mark.parametrize(("orientation", "turned"), [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_270)])
def test_upright(format_: str, off_by: int, orientation: int, turned: Image.Transpose) -> None:
    data = with_orientation(SMOOTH, format_, orientation)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB").transpose(turned)).astype(int)
    pixels = decode_image(upright(data)).numpy().astype(int)
    assert pixels.shape == expected.shape
    assert abs(pixels - expected).max() <= off_by
    assert upright(upright(data)) == upright(data)


@pytest.mark.parametrize("data", [FILES["jpeg"], FILES["png-rgba"], PAGES, with_orientation(SMOOTH, "JPEG", 1)])
def test_a_file_that_is_upright_stays_as_it_is(data: bytes) -> None:
    assert upright(data) is data


def test_not_turned_unless_asked() -> None:
    assert decode_image(with_orientation(SMOOTH, "PNG", 6)).shape == (48, 32, 3)


HEIC = b"\0\0\0\x18ftypheic" + bytes(40)


def test_heic_takes_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    assert media_type(HEIC) == "image/heic"
    for name in ("pi_heif", "pillow_heif"):
        monkeypatch.setitem(sys.modules, f"{name}.as_plugin", None)
    with pytest.raises(ImageError, match="HEIC, which takes a library: 'pip install pi-heif'"):
        decode_image(HEIC)
