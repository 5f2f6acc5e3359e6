"""`RapidOcr`: pictures of text are read in a limited process, which stays for the next, as its models take seconds to
load.
"""

from __future__ import annotations

import json
import threading
import weakref
from typing import Any

from mistralet.documents import rapid_ocr_program
from mistralet.documents.document import Box
from mistralet.documents.readers.unreadable import UnreadableError
from mistralet.errors import DocumentError
from mistralet.limited_program import LimitedProgram, ProgramError

_SECONDS = 120.0  # of a picture, the first of which waits for the models: a dense page took 20 on two busy processors
_MEMORY = 4 << 30  # bytes of addresses: a dense page took 1.6 GB of them
_REMEDY = "take a model with vision, or a simpler scan"

Line = tuple[Box, str]  # a piece of text on one line; its place in pixels


class RapidOcr:
    """Reads PNG files, one after the other. The process begins with the first, and again after one that ended it."""

    def __init__(self, seconds: float = _SECONDS, memory: int = _MEMORY) -> None:
        """
        Args:
            seconds: that a picture may take.
            memory: bytes of addresses that reading may take.
        """
        self.seconds, self.memory = seconds, memory
        self._program: LimitedProgram | None = None
        self._is_closed = False
        self._reading = threading.Lock()  # held while a picture is read: threads wait for each other
        self._changing = threading.Lock()  # held while a process begins or ends: `close` waits for no picture

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._program is not None

    def __call__(self, picture: bytes) -> list[Line]:
        """The lines of a PNG file.

        Raises:
            UnreadableError: it takes too long or too much memory, or RapidOCR fails.
            DocumentError: RapidOCR is not installed, or this was closed.
        """
        with self._reading:
            told = self._answer(picture)
        if "missing" in told:
            raise DocumentError(
                f"Reading scans needs the package {told['missing']}; install it with pip install 'mistralet[ocr]', or "
                "take a model with vision."
            )
        if "failed" in told:
            raise UnreadableError(f"recognising its text takes too much memory, or fails; {_REMEDY}")
        return [(Box(*place), text) for *place, text in told["lines"]]

    def close(self) -> None:
        """End the process, also while it reads."""
        with self._changing:
            self._is_closed = True
        self._end()

    def _answer(self, picture: bytes) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self._begun().ask(picture, self.seconds))
            return told
        except TimeoutError as error:
            self._end()
            raise UnreadableError(
                f"recognising its text takes longer than {self.seconds:g} seconds; {_REMEDY}"
            ) from error
        except ProgramError:
            self._end()
            self._check_open()
            return {"failed": "it ended"}
        except BaseException:  # an interruption
            self._end()
            raise

    def _begun(self) -> LimitedProgram:
        with self._changing:
            self._check_open()
            if self._program is None:
                self._program = LimitedProgram(rapid_ocr_program.__file__, self.memory)
                self._finalizer = weakref.finalize(self, self._program.close)
            return self._program

    def _check_open(self) -> None:
        if self._is_closed:
            raise DocumentError("Reading scans was stopped; give the command again.")

    def _end(self) -> None:
        with self._changing:
            if self._program is not None:
                self._finalizer()
                self._program = None
