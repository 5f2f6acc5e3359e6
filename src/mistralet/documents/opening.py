"""`open_document`: a file of any kind to a `Document`. It is read in a process of its own, within limits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from mistralet.documents.document import Box, Document, Page, Word
from mistralet.documents.file_reader import DocumentLimits, FileReader
from mistralet.documents.kinds import kind_of
from mistralet.documents.typeset import typeset
from mistralet.errors import DocumentError

__all__ = ["DocumentLimits", "open_bytes", "open_document"]

_READERS = {"markdown": "text"}  # of kinds that are not read by a reader of their name
_HAS_PICTURES = ("pdf", "picture")
_KEPT_PAGES = 64  # whose words or pictures are in memory


def open_document(path: Path, limits: DocumentLimits | None = None) -> Document:
    """Open a file. Its text is read at once, places and pictures of pages when they are asked for.

    Raises:
        DocumentError: it cannot be read, or is too large.
    """
    limits = limits or DocumentLimits()
    if path.is_dir():
        raise DocumentError(f"{path} is a folder; name the files in it.")
    if not path.is_file():
        what = "is no file; copy what it holds to one" if path.exists() else "does not exist; check the path"
        raise DocumentError(f"{path} {what}.")
    try:
        with path.open("rb") as file:
            data = file.read(limits.nbytes + 1)
    except OSError as error:
        raise DocumentError(f"{path} cannot be read ({error.strerror or error}); check its permissions.") from error
    return open_bytes(data, path.name, limits)


def open_bytes(data: bytes, name: str, limits: DocumentLimits | None = None) -> Document:
    """Open a file that is in memory. `name` is what people call it. Raises `DocumentError`; see `open_document`."""
    limits = limits or DocumentLimits()
    if len(data) > limits.nbytes:
        raise DocumentError(f"{name} has more than {limits.nbytes:,} bytes; give a part of it.")
    return _opened(data, name, limits, follows=True)


def _opened(data: bytes, name: str, limits: DocumentLimits, follows: bool) -> Document:
    """A document; of an e-mail, if `follows`, with what is attached."""
    begun = time.monotonic()
    kind = kind_of(data, name)
    reader = FileReader(data, name, _READERS.get(kind, kind), limits)
    pages = reader.pages()
    document = Document(name, kind, sha256(data).hexdigest(), pages, _FileSource(kind, reader, pages))
    if kind == "eml" and follows:
        document = _with_attachments(document, reader.attachments(), limits, begun + limits.seconds)
    if kind not in _HAS_PICTURES:
        reader.rest()  # nothing more will be asked
    return document


class _FileSource:
    """Places and pictures of a file's pages, the last of which are kept."""

    def __init__(self, kind: str, reader: FileReader, pages: Sequence[Page]) -> None:
        self._kind, self._reader, self._pages = kind, reader, pages
        self.words = lru_cache(_KEPT_PAGES)(self._words)
        self.picture = lru_cache(_KEPT_PAGES)(self._picture)

    def _words(self, number: int) -> tuple[Word, ...]:
        return self._reader.words(number) if self._kind == "pdf" else ()

    def _picture(self, number: int, side: int) -> bytes:
        if self._kind in _HAS_PICTURES:
            return self._reader.picture(number, side)
        return typeset(self._pages[number - 1].text, side)

    def marked(self, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
        if self._kind != "pdf":
            raise DocumentError(f"{self._reader.name} is no PDF file; only in those can places be marked.")
        return self._reader.marked(marks)


class _Joined:
    """The source of a document whose pages come from several."""

    def __init__(self, places: Sequence[tuple[Document, int]]) -> None:
        self._places = places  # of each page: the document it comes from, and its number there

    def words(self, number: int) -> tuple[Word, ...]:
        document, own = self._places[number - 1]
        return document.source.words(own)

    def picture(self, number: int, side: int) -> bytes:
        document, own = self._places[number - 1]
        return document.source.picture(own, side)

    def marked(self, _marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
        raise DocumentError(f"{self._places[0][0].name} is no PDF file; only in those can places be marked.")


def _with_attachments(
    mail: Document, attached: Sequence[tuple[str, bytes]], limits: DocumentLimits, end: float
) -> Document:
    """An e-mail followed by the pages of what is attached; its first page says what of that cannot be read.

    Args:
        end: when all must be read, by the monotonic clock.
    """
    documents, unread = [(mail, "")], []
    for name, data in attached:
        read = [page for document, _ in documents for page in document.pages]
        left = replace(
            limits,
            pages=limits.pages - len(read),
            characters=limits.characters - sum(len(page.text) for page in read),
            seconds=max(0.0, end - time.monotonic()),
        )
        try:
            documents.append((_opened(data, name, left, follows=False), name))
        except DocumentError as error:
            unread.append(f"[Attachment not read: {error}]")
    places = [(document, page.number) for document, _ in documents for page in document.pages]
    pages = [replace(page, label=name or page.label) for document, name in documents for page in document.pages]
    pages[0] = replace(pages[0], text="\n".join([pages[0].text, *unread]))
    numbered = tuple(replace(page, number=number) for number, page in enumerate(pages, 1))
    return replace(mail, pages=numbered, source=_Joined(places))
