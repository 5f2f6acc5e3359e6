"""`Journal`: what a run over many files has done, so that it can go on after any end without doing a file twice.

The first line says what work it is, each further one what became of a file. A line is on the disk before the next file
is begun; half a line, as a crash leaves it, is cut off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mistralet.errors import DocumentError

_FORMAT = "mistralet-extraction-1"


class Journal:
    """Records in a file, found by the path and content of what they are about."""

    def __init__(self, path: Path, work: dict[str, Any], restart: bool = False) -> None:
        """Open, or begin, a journal.

        Args:
            work: what tells this work from others: the schema, the model.
            restart: forget what was done.

        Raises:
            DocumentError: it is another file, or of other work, or cannot be written.
        """
        self._path = path
        self._records: dict[tuple[str, str], dict[str, Any]] = {}
        head = {"format": _FORMAT, **work}
        try:
            if restart:
                path.unlink(missing_ok=True)
            kept = self._read(head) if path.exists() else 0
            self._file = path.open("ab")
            self._file.truncate(kept)
            self._file.seek(0, os.SEEK_END)
            if not kept:
                self._write(head)
        except OSError as error:
            raise DocumentError(
                f"{path} cannot be written: {error.strerror or error}; choose another place."
            ) from error

    def get(self, file: str, digest: str) -> dict[str, Any] | None:
        """What became of a file with that content; None if it was not done."""
        return self._records.get((file, digest))

    def add(self, record: dict[str, Any]) -> None:
        """Note what became of `record["file"]`, with the content `record["digest"]`; a later record counts."""
        self._write(record)
        self._records[record["file"], record["digest"]] = record

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._records.values())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read(self, head: dict[str, Any]) -> int:
        """Take over the whole lines; the bytes that they are."""
        data = self._path.read_bytes()
        whole = data.rfind(b"\n") + 1
        lines = data[:whole].splitlines()
        if not lines:
            if not json.dumps(head, ensure_ascii=False).encode().startswith(data):
                raise self._foreign()
            return 0
        try:
            first, *records = [json.loads(line) for line in lines]
            if first.get("format") != _FORMAT:
                raise self._foreign()
            if first != head:
                raise DocumentError(
                    f"{self._path} is of another schema or model; name another --output, or forget it with --restart."
                )
            self._records = {(record["file"], record["digest"]): record for record in records}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise self._foreign() from error
        return whole

    def _foreign(self) -> DocumentError:
        return DocumentError(f"{self._path} is not the journal of a run, or is damaged; remove it, or use --restart.")
