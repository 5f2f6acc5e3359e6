"""Fonts of the PDF files that are written: Bitstream Vera, which comes with reportlab and knows Western letters."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mistralet.errors import DocumentError

FONT, BOLD, ITALIC = "Vera", "Vera-Bold", "Vera-Italic"
_FILES = {FONT: "Vera.ttf", BOLD: "VeraBd.ttf", ITALIC: "VeraIt.ttf"}


@cache
def register_fonts() -> None:
    """Make the fonts known to reportlab. Raises `DocumentError` if that is not installed."""
    try:
        import reportlab
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.ttfonts import TTFont
    except ImportError as error:
        raise DocumentError(
            "Writing PDF files needs reportlab; install it with pip install 'mistralet[documents]'."
        ) from error
    for name, file in _FILES.items():
        pdfmetrics.registerFont(TTFont(name, str(Path(reportlab.__file__).parent / "fonts" / file)))
