"""`open_document`: a file of any kind to a `Document`. It is read in a process of its own, within limits."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from mistralet.documents.document import Box, Document, Page, Table, Word
from mistralet.documents.kinds import kind_of
from mistralet.documents.readers import program
from mistralet.documents.readers.unreadable import Limits
from mistralet.documents.typeset import typeset
from mistralet.errors import DocumentError
from mistralet.limited_program import ProgramError, run_limited_here

# The reader of each kind.
_READERS = {kind: kind for kind in ("pdf", "picture", "docx", "pptx", "xlsx", "html", "eml", "text")}
_READERS["markdown"] = "text"
_HAS_PLACES = ("pdf",)
_HAS_PICTURES = ("pdf", "picture")
_KEPT_PAGES = 64  # whose words or pictures are in memory


@dataclass(frozen=True)
class DocumentLimits:
    """How much of a file is taken."""

    nbytes: int = 200 << 20
    pages: int = 5000
    characters: int = 20_000_000  # of its text
    seconds: float = 60.0  # that reading it may take


def open_document(path: Path, limits: DocumentLimits | None = None) -> Document:
    """Open a file. Its text is read at once, places and pictures of pages when they are asked for.

    Raises:
        DocumentError: it cannot be read, or is too large.
    """
    limits = limits or DocumentLimits()
    try:
        if not path.is_file():
            what = "is a folder; name the files in it" if path.is_dir() else "does not exist; check the path"
            raise DocumentError(f"{path} {what}.")
        if path.stat().st_size > limits.nbytes:
            raise DocumentError(f"{path} has more than {limits.nbytes >> 20} MB; give a part of it.")
        data = path.read_bytes()
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}; check its permissions.") from error
    return open_bytes(data, path.name, limits)


def open_bytes(data: bytes, name: str, limits: DocumentLimits | None = None) -> Document:
    """Open a file that is in memory. `name` is what people call it. Raises `DocumentError`; see `open_document`."""
    limits = limits or DocumentLimits()
    kind = kind_of(data, name)
    file = _File(data, name, kind, limits)
    pages = file.pages()
    document = Document(name, kind, sha256(data).hexdigest(), pages, _FileSource(file, pages))
    return _with_attachments(document, file) if kind == "eml" else document


@dataclass(frozen=True)
class _File:
    """What is in a file, and what reads it."""

    data: bytes
    name: str
    kind: str
    limits: DocumentLimits

    def pages(self) -> tuple[Page, ...]:
        limits = asdict(Limits(self.limits.pages, self.limits.characters))
        read = self._ask({"what": "pages", "limits": limits})["pages"]
        return tuple(Page(**page | {"tables": _tables(page["tables"])}) for page in read)

    def words(self, number: int) -> tuple[Word, ...]:
        read = self._ask({"what": "words", "number": number})["words"]
        return tuple(Word(word["start"], word["end"], Box(**word["box"])) for word in read)

    def picture(self, number: int, side: int) -> bytes:
        return base64.b64decode(self._ask({"what": "picture", "number": number, "side": side})["picture"])

    def marked(self, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
        boxes = [[number, [asdict(box) for box in places]] for number, places in marks]
        return base64.b64decode(self._ask({"what": "marked", "marks": boxes})["file"])

    def attachments(self) -> list[tuple[str, bytes]]:
        return [(name, base64.b64decode(data)) for name, data in self._ask({"what": "attachments"})["attachments"]]

    def _ask(self, wanted: dict[str, Any]) -> dict[str, Any]:
        line = json.dumps(wanted | {"reader": _READERS[self.kind]}).encode()
        try:
            written = run_limited_here(program.__file__, line + b"\n" + self.data, self.limits.seconds)
        except (TimeoutError, ProgramError) as error:
            raise DocumentError(f"{self.name} takes too much time or memory to read; give a simpler file.") from error
        told: dict[str, Any] = json.loads(written)
        if "unreadable" in told:
            raise DocumentError(f"{self.name} {told['unreadable']}.")
        if "missing" in told:
            raise DocumentError(
                f"Reading {self.name} needs the package {told['missing']}; install it with "
                "pip install 'mistralet[documents]'."
            )
        return told


class _FileSource:
    """Places and pictures of a file's pages, the last of which are kept."""

    def __init__(self, file: _File, pages: Sequence[Page]) -> None:
        self._file = file
        self._pages = pages
        self.words = lru_cache(_KEPT_PAGES)(self._words)
        self.picture = lru_cache(_KEPT_PAGES)(self._picture)

    def _words(self, number: int) -> tuple[Word, ...]:
        return self._file.words(number) if self._file.kind in _HAS_PLACES else ()

    def _picture(self, number: int, side: int) -> bytes:
        if self._file.kind in _HAS_PICTURES:
            return self._file.picture(number, side)
        return typeset(self._pages[number - 1].text, side)

    def marked(self, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
        if self._file.kind != "pdf":
            raise DocumentError(f"{self._file.name} is no PDF file; only in those can places be marked.")
        return self._file.marked(marks)


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


def _with_attachments(mail: Document, file: _File) -> Document:
    """An e-mail followed by the pages of what is attached, if it can be read; e-mails in it only by themselves."""
    documents = [(mail, "")]
    left = file.limits.pages - len(mail.pages)
    for name, data in file.attachments():
        limits = replace(file.limits, pages=left)
        try:
            attached = open_bytes(data, name, limits) if not name.endswith(".eml") else _mail_alone(data, name, limits)
        except DocumentError:
            continue  # the e-mail's own page names it
        documents.append((attached, name))
        left -= len(attached.pages)
    places = [(document, page.number) for document, _ in documents for page in document.pages]
    pages = [replace(page, label=name or page.label) for document, name in documents for page in document.pages]
    numbered = tuple(replace(page, number=number) for number, page in enumerate(pages, 1))
    return replace(mail, pages=numbered, source=_Joined(places))


def _mail_alone(data: bytes, name: str, limits: DocumentLimits) -> Document:
    file = _File(data, name, "eml", limits)
    pages = file.pages()
    return Document(name, "eml", sha256(data).hexdigest(), pages, _FileSource(file, pages))


def _tables(stated: list[dict[str, Any]]) -> tuple[Table, ...]:
    return tuple(Table(tuple(tuple(row) for row in table["rows"])) for table in stated)
