"""The program that reads files: a line of JSON that says what is wanted and the file on its standard input, what was
read on its standard output (see `limited_program`).
"""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import asdict
from importlib import import_module
from typing import Any

from mistralet.documents.document import Box
from mistralet.documents.readers.unreadable import Limits, UnreadableError


def main() -> None:
    """Read what is wanted and the file, write what it holds or why it cannot be read."""
    line, _, data = sys.stdin.buffer.read().partition(b"\n")
    wanted: dict[str, Any] = json.loads(line)
    try:
        told = _read(wanted, data)
    except UnreadableError as error:
        told = {"unreadable": str(error)}
    except ImportError as error:
        told = {"missing": error.name or str(error)}
    sys.stdout.write(json.dumps(told))


def _read(wanted: dict[str, Any], data: bytes) -> dict[str, Any]:
    reader = import_module(f"mistralet.documents.readers.{wanted['reader']}")
    match wanted["what"]:
        case "pages":
            return {"pages": [asdict(page) for page in reader.pages(data, Limits(**wanted["limits"]))]}
        case "words":
            return {"words": [asdict(word) for word in reader.words(data, wanted["number"])]}
        case "picture":
            picture = reader.picture(data, wanted["number"], wanted["side"])
            return {"picture": base64.b64encode(picture).decode()}
        case "marked":
            marks = [(number, [Box(**box) for box in boxes]) for number, boxes in wanted["marks"]]
            return {"file": base64.b64encode(reader.marked(data, marks)).decode()}
        case "attachments":
            attached = reader.attachments(reader.message_of(data))
            return {"attachments": [[name, base64.b64encode(content).decode()] for name, content in attached]}
    raise AssertionError(wanted["what"])


if __name__ == "__main__":
    main()
