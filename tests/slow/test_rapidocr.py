"""RapidOCR itself reads a picture of text, without a network: its models come in its wheel."""

from __future__ import annotations

import io
import socket

import pytest
from PIL import Image, ImageDraw, ImageFont

from mistralet.documents import cite
from mistralet.documents.ocr import with_text
from mistralet.documents.opening import open_bytes


def scan() -> bytes:
    page = Image.new("RGB", (1240, 1754), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=36)
    for row, line in enumerate(["Rental agreement", "The notice period is three months.", "Total: 1,200.50 EUR"]):
        draw.text((150, 200 + 80 * row), line, fill="black", font=font)
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def test_a_scan_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    document = with_text(open_bytes(scan(), "scan.png"))
    page = document.page(1)
    assert not page.is_scan
    assert page.text.splitlines() == [
        "Rental agreement",
        "The notice period is three months.",
        "Total: 1,200.50 EUR",
    ]
    citation = cite(document, "three months")
    assert citation is not None
    (box,) = citation.boxes
    # Drawn in pixels; a point is 1754 / 842 of them.
    assert box.top * 1754 / 842 == pytest.approx(280, abs=25)
    assert 400 < box.left * 1754 / 842 < 700
