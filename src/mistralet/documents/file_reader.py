"""`FileReader`: a file that is read in a limited process, which stays for the next question about it."""

from __future__ import annotations

import base64
import json
import threading
import weakref
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mistralet.documents.document import Box, Page, Table, Word
from mistralet.documents.readers import program
from mistralet.documents.readers.unreadable import Limits
from mistralet.errors import DocumentError, PageError
from mistralet.limited_program import LimitedProgram, ProgramError

_MOST_PROCESSES = 4  # that stay


@dataclass(frozen=True)
class DocumentLimits:
    """How much of a file is taken."""

    nbytes: int = 200 << 20  # of the file
    pages: int = 5000
    characters: int = 20_000_000  # of its text
    seconds: float = 60.0  # that opening it may take, and later the words or the picture of a page
    memory: int = 2 << 30  # bytes that reading it may take


class FileReader:
    """A file, and the process that reads it: started when something is asked, and again if it was ended."""

    def __init__(self, data: bytes, name: str, reader: str, limits: DocumentLimits) -> None:
        """
        Args:
            reader: of `mistralet.documents.readers`.
        """
        self.name, self.limits = name, limits
        self._file, self._reader = data, reader
        self._program: LimitedProgram | None = None
        self._lock = threading.Lock()

    def pages(self) -> tuple[Page, ...]:
        """All pages. This and the other questions raise `DocumentError`, of a damaged page `PageError`."""
        limits = asdict(Limits(self.limits.pages, self.limits.characters))
        return tuple(_page(page) for page in self._ask("pages", limits=limits))

    def words(self, number: int) -> tuple[Word, ...]:
        """The words of a page."""
        numbers = array("d")
        numbers.frombytes(base64.b64decode(self._ask("words", number=number)))
        each = iter(numbers)  # six for each word
        return tuple(
            Word(int(start), int(end), Box(left, top, right, bottom))
            for start, end, left, top, right, bottom in zip(each, each, each, each, each, each, strict=True)
        )

    def picture(self, number: int, side: int) -> bytes:
        """A page as a PNG file, `side` pixels along its longer side."""
        return base64.b64decode(self._ask("picture", number=number, side=side))

    def marked(self, marks: Sequence[tuple[int, Sequence[Box]]]) -> bytes:
        """The file with places marked, given with the number of their page."""
        return base64.b64decode(
            self._ask("marked", marks=[(number, [asdict(box) for box in boxes]) for number, boxes in marks])
        )

    def attachments(self) -> list[tuple[str, bytes]]:
        """Name and content of each file in it."""
        return [(name, base64.b64decode(data)) for name, data in self._ask("attachments")]

    def rest(self) -> bool:
        """End the process if nobody waits for it; whether that was done."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._end()
            return True
        finally:
            self._lock.release()

    def _ask(self, what: str, **details: Any) -> Any:
        question = json.dumps({"what": what} | details).encode()
        try:
            with self._lock:
                told = json.loads(self._answer(question))
        except (TimeoutError, ProgramError) as error:
            raise DocumentError(f"{self.name} takes too much time or memory to read; give a simpler file.") from error
        if "unreadable" in told:
            refusal = PageError if told.get("is_page") else DocumentError
            raise refusal(f"{self.name} {told['unreadable']}.")
        if "missing" in told:
            raise DocumentError(
                f"Reading {self.name} needs the package {told['missing']}; install it with "
                "pip install 'mistralet[documents]'."
            )
        return told["answer"]

    def _answer(self, question: bytes) -> bytes:
        _rest_others(self)
        try:
            if self._program is None:
                self._program = LimitedProgram(program.__file__, self.limits.memory)
                weakref.finalize(self, self._program.close)
                self._program.ask(self._reader.encode() + b"\n" + self._file, self.limits.seconds)
            return self._program.ask(question, self.limits.seconds)
        except BaseException:  # also an interruption
            self._end()
            raise

    def _end(self) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None


_lately: list[weakref.ref[FileReader]] = []  # those whose processes may be there, the latest last
_resting = threading.Lock()


def _rest_others(reader: FileReader) -> None:
    """Make `reader` the latest, and end the processes of those that nobody has asked for longest."""
    with _resting:
        known = [reference() for reference in _lately]
        others = [other for other in known if other is not None and other is not reader]
        surplus = len(others) + 1 - _MOST_PROCESSES
        kept = []
        for other in others:
            if surplus > 0 and other.rest():
                surplus -= 1
            else:
                kept.append(other)
        _lately[:] = map(weakref.ref, [*kept, reader])


def _page(told: dict[str, Any]) -> Page:
    tables = tuple(Table(tuple(map(tuple, rows))) for rows in told["tables"])
    return Page(**told | {"tables": tables, "size": told["size"] and tuple(told["size"])})
