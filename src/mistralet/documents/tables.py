"""Records of many files as one table: JSON lines, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mistralet.documents.json_leaves import Scalar, dotted, leaves_of
from mistralet.errors import DocumentError, UsageError
from mistralet.files import write_atomically

FORMATS = (".jsonl", ".csv", ".parquet")


def check_output(path: Path) -> None:
    """Raises `UsageError` if no table is written under that name, `DocumentError` if a package is missing for it."""
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"{path} has none of the endings {', '.join(FORMATS)}, which say what to write; add one.")
    if path.suffix.lower() == ".parquet":
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise DocumentError(
                "Writing Parquet needs pyarrow; install it with pip install 'mistralet[parquet]'."
            ) from error


def write_table(path: Path, records: Sequence[dict[str, Any]]) -> None:
    """Write records, in the form that the file's ending says.

    Raises:
        UsageError, DocumentError: see `check_output`; or it cannot be written.
    """
    check_output(path)
    make = {".jsonl": _jsonl, ".csv": _csv, ".parquet": _parquet}[path.suffix.lower()]
    try:
        write_atomically(path, make(records))
    except OSError as error:
        raise DocumentError(f"{path} cannot be written: {error.strerror or error}; choose another place.") from error


def _jsonl(records: Sequence[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def _csv(records: Sequence[dict[str, Any]]) -> bytes:
    rows = [_flat(record) for record in records]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, _columns(rows))
    writer.writeheader()
    writer.writerows([{name: _harmless(value) for name, value in row.items()} for row in rows])
    return file.getvalue().encode("utf-8-sig")  # with the mark by which spreadsheets know UTF-8


def _parquet(records: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    rows = [_flat(record) for record in records]
    columns = {}
    for name in _columns(rows):
        values = [row.get(name) for row in rows]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int, float}:
            values = [None if value is None else float(value) for value in values]
        elif len(kinds) > 1:
            values = [None if value is None else str(value) for value in values]
        columns[name] = pyarrow.array(values)
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def _flat(record: dict[str, Any]) -> dict[str, Scalar]:
    """A record in one row: a column for each value, under its path."""
    row: dict[str, Scalar] = {"file": record["file"], "error": record.get("error")}
    unread = [str(page["page"]) for page in record.get("unread_pages", ())]
    if unread:
        row["unread pages"] = ", ".join(unread)
    return row | {dotted(path): value for path, value in leaves_of(record.get("value", {}))}


def _columns(rows: Sequence[dict[str, Scalar]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row)) or ["file", "error"]


def _harmless(value: Scalar) -> Scalar:
    """A text that a spreadsheet would take for a formula, with a sign before it that makes it text."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
