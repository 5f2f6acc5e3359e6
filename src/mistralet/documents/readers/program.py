"""The program that reads a file: gets its reader's name and the file, then answers questions about it (see
`LimitedProgram`), each a JSON object.
"""

from __future__ import annotations

import base64
import json
from array import array
from dataclasses import fields
from importlib import import_module
from types import ModuleType
from typing import Any

from mistralet.documents.document import Box, Page
from mistralet.documents.readers.unreadable import DamagedPageError, Limits, UnreadableError
from mistralet.limited_program import answer_with


class _Program:
    """What is known after the first message."""

    def __init__(self) -> None:
        self._reader = ""
        self._file = b""

    def answer(self, message: bytes) -> bytes:
        """Nothing to the first message, which brings the file; to others what the reader says, or why it does not."""
        if not self._reader:
            name, _, self._file = message.partition(b"\n")
            self._reader = name.decode()
            return b""
        question: dict[str, Any] = json.loads(message)
        try:
            reader = import_module(f"mistralet.documents.readers.{self._reader}")
            told = {"answer": _answer(reader, self._file, **question)}
        except UnreadableError as error:
            told = {"unreadable": str(error), "is_page": isinstance(error, DamagedPageError)}
        except ImportError as error:
            told = {"missing": error.name or str(error)}
        except MemoryError:
            told = {"unreadable": "takes too much memory to read; give a simpler file"}
        except Exception:  # libraries raise whatever they stumble over
            told = {"unreadable": "cannot be read: it is damaged; save it again"}
        return json.dumps(told).encode()


def _answer(reader: ModuleType, file: bytes, what: str, **details: Any) -> Any:
    match what:
        case "pages":
            return [_told(page) for page in reader.pages(file, Limits(**details["limits"]))]
        case "words":
            numbers = array("d", [number for word in reader.words(file, **details) for number in word])
            return base64.b64encode(numbers.tobytes()).decode()
        case "picture":
            return base64.b64encode(reader.picture(file, **details)).decode()
        case "marked":
            marks = [(number, [Box(**box) for box in boxes]) for number, boxes in details["marks"]]
            return base64.b64encode(reader.marked(file, marks)).decode()
        case "attachments":
            return [(name, base64.b64encode(data).decode()) for name, data in reader.attachments(file)]
    raise AssertionError(what)


def _told(page: Page) -> dict[str, Any]:
    told = {field.name: getattr(page, field.name) for field in fields(page)}
    return told | {"tables": [table.rows for table in page.tables]}


if __name__ == "__main__":
    answer_with(_Program().answer)
