"""Cited places are marked in the PDF, where they are seen."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from mistralet.documents import Document, cite
from mistralet.documents.highlight import write_highlighted
from mistralet.documents.opening import open_bytes, open_document
from mistralet.errors import DocumentError
from support.pdf_files import pdf


def yellow(document: Document, number: int = 1) -> tuple[int, int, int, int] | None:
    """The box of what is yellow on a page, in points: a page is shown at one pixel each."""
    picture = Image.open(io.BytesIO(document.source.picture(number, 200))).convert("RGB")
    *_, blue = picture.split()
    mask = Image.merge("RGB", (picture.split()[0], picture.split()[0], blue)).convert("RGB")
    red = mask.split()[0].point(lambda value: 255 if value > 200 else 0)
    no_blue = blue.point(lambda value: 255 if value < 170 else 0)
    return Image.composite(no_blue, Image.new("L", picture.size, 0), red).getbbox()


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_quote_is_marked_where_it_is_seen(turn: int, tmp_path: Path) -> None:
    data = pdf("alpha beta gamma").replace(b"/Type /Page ", f"/Type /Page /Rotate {turn} ".encode())
    document = open_bytes(data, "one.pdf")
    citation = cite(document, "beta")
    assert citation is not None
    assert yellow(document) is None
    write_highlighted(document, [citation], tmp_path / "out.pdf")
    marked = yellow(open_document(tmp_path / "out.pdf"))
    assert marked is not None
    (box,) = citation.boxes
    for seen, told in zip(marked, (box.left, box.top, box.right, box.bottom), strict=True):
        assert abs(seen - told) <= 2


def test_what_is_cited_of_other_documents_is_not_marked(tmp_path: Path) -> None:
    document, other = open_bytes(pdf("alpha"), "one.pdf"), open_bytes(pdf("alpha"), "two.pdf")
    citation = cite(other, "alpha")
    assert citation is not None
    write_highlighted(document, [citation], tmp_path / "out.pdf")
    assert yellow(open_document(tmp_path / "out.pdf")) is None


def test_only_pdf_files_can_be_marked(tmp_path: Path) -> None:
    document = open_bytes(b"alpha", "one.txt")
    with pytest.raises(DocumentError, match=r"one\.txt is no PDF"):
        write_highlighted(document, [], tmp_path / "out.pdf")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be written"):
        write_highlighted(open_bytes(pdf("a"), "one.pdf"), [], tmp_path / "none" / "out.pdf")
