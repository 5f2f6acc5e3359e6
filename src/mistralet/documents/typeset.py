"""A picture of a page of a format that has none: its text, set on white."""

from __future__ import annotations

import io
import textwrap

_COLUMNS, _ROWS = 90, 64  # letters and lines; what is longer is set smaller
_MOST_ROWS = 256  # that can be read at all; what is left out is told by an ellipsis
_MARGIN = 0.06  # of the longer side


def typeset(text: str, side: int) -> bytes:
    """A page of `text` as a PNG file, `side` pixels high, in the proportions of A4."""
    from PIL import Image, ImageDraw, ImageFont

    text = text if len(text) <= _COLUMNS * _MOST_ROWS else f"{text[: _COLUMNS * _MOST_ROWS]} …"
    lines = [piece for line in text.split("\n") for piece in textwrap.wrap(line, _COLUMNS) or [""]]
    if len(lines) > _MOST_ROWS:
        lines = [*lines[: _MOST_ROWS - 1], "…"]
    width, margin = round(side / 2**0.5), round(side * _MARGIN)
    step = (side - 2 * margin) / max(_ROWS, len(lines))
    page = Image.new("RGB", (width, side), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=max(1.0, step * 0.78))
    for number, line in enumerate(lines):
        draw.text((margin, margin + number * step), line, fill="black", font=font)
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()
