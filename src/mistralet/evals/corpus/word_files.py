"""Word files of the corpus, by python-docx: the same bytes each time."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence

from mistralet.errors import DocumentError


def word_file(
    title: str, sections: Mapping[str, Sequence[str]], annex: tuple[str, Sequence[Sequence[str]]] | None = None
) -> bytes:
    """A DOCX file.

    Args:
        sections: paragraphs by heading; an empty heading is left out.
        annex: a heading and the rows of a table, which come last.

    Raises:
        DocumentError: python-docx is not installed.
    """
    try:
        import docx
    except ImportError as error:
        raise DocumentError(
            "The corpus needs python-docx; install it with pip install 'mistralet[documents]'."
        ) from error
    document = docx.Document()
    document.add_heading(title, 0)
    for heading, paragraphs in sections.items():
        if heading:
            document.add_heading(heading, 1)
        for paragraph in paragraphs:
            document.add_paragraph(paragraph)
    if annex is not None:
        heading, rows = annex
        document.add_heading(heading, 1)
        table = document.add_table(rows=0, cols=len(rows[0]))
        for row in rows:
            for cell, words in zip(table.add_row().cells, row, strict=True):
                cell.text = words
    file = io.BytesIO()
    document.save(file)
    return _undated(file.getvalue())


def _undated(archive: bytes) -> bytes:
    """The archive without the times at which it was written."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for member in sorted(old.namelist()):
            new.writestr(zipfile.ZipInfo(member, (2025, 1, 1, 0, 0, 0)), old.read(member), zipfile.ZIP_DEFLATED)
    return file.getvalue()
