"""RapidOCR itself reads a picture of text, without a network: its models come in its wheel."""

from __future__ import annotations

import io
from contextlib import closing
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from mistralet.documents import cite, rapid_ocr_program
from mistralet.documents.ocr import with_text
from mistralet.documents.opening import open_bytes
from mistralet.documents.rapid_ocr import RapidOcr
from mistralet.documents.readers.unreadable import UnreadableError

OFFLINE = """
import runpy, socket

def no_network(*_):
    raise OSError("no network in this test")

socket.socket.connect = no_network
runpy.run_path({program!r}, run_name="__main__")
"""


@pytest.fixture(autouse=True)
def _offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "offline.py"
    path.write_text(OFFLINE.format(program=rapid_ocr_program.__file__))
    monkeypatch.setattr(rapid_ocr_program, "__file__", str(path))


def scan() -> bytes:
    page = Image.new("RGB", (1240, 1754), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=36)
    for row, line in enumerate(["Rental agreement", "The notice period is three months.", "Total: 1,200.50 EUR"]):
        draw.text((150, 200 + 80 * row), line, fill="black", font=font)
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def test_a_scan_is_read() -> None:
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


def test_one_that_was_ended_reads_the_next() -> None:
    with closing(RapidOcr(seconds=0.5)) as ocr:  # its models take longer
        with pytest.raises(UnreadableError, match=r"longer than 0\.5 seconds"):
            ocr(scan())
        ocr.seconds = 120
        assert next(text for _, text in ocr(scan())) == "Rental agreement"


def test_a_page_of_small_print_fits_its_memory() -> None:
    page = Image.new("RGB", (1414, 2000), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=18)
    for row in range(70):
        draw.text(
            (80, 40 + 27 * row), f"{row}. The notice period is three months, and the rent 900 EUR.", "black", font
        )
    file = io.BytesIO()
    page.save(file, "PNG")
    with closing(RapidOcr()) as ocr:
        assert len(ocr(file.getvalue())) >= 65
