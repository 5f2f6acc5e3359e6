"""`highlighted`: a PDF document with the places that citations name marked in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mistralet.documents.document import Document
from mistralet.documents.quotes import Citation
from mistralet.errors import DocumentError
from mistralet.files import write_atomically


def write_highlighted(document: Document, citations: Sequence[Citation], path: Path) -> None:
    """Write the document to `path` with what is cited of it marked.

    Raises:
        DocumentError: it is no PDF, or cannot be written there.
    """
    marks = [(citation.page, citation.boxes) for citation in citations if citation.document == document.name]
    try:
        write_atomically(path, document.source.marked(marks))
    except OSError as error:
        raise DocumentError(f"{path} cannot be written: {error.strerror or error}; choose another place.") from error
