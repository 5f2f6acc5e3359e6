"""Tables (XLSX), through openpyxl: a page for each sheet, with the values that formulas had when it was saved."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from mistralet.documents.document import Page, Table
from mistralet.documents.readers.office import opened
from mistralet.documents.readers.unreadable import Limits


def pages(data: bytes, limits: Limits) -> list[Page]:
    """See `readers`."""
    import openpyxl

    workbook = opened(data, lambda file: openpyxl.load_workbook(file, read_only=True, data_only=True))
    sheets = workbook.worksheets
    limits.check(len(sheets), 0)
    read = []
    characters = 0
    for number, sheet in enumerate(sheets, 1):
        rows: list[tuple[str, ...]] = []
        for values in sheet.iter_rows(values_only=True):
            row = [_shown(value) for value in values]
            while row and not row[-1]:
                row.pop()
            characters += sum(map(len, row)) + len(row)
            limits.check(0, characters)
            if row:
                rows.append(tuple(row))
        text = "\n".join(" | ".join(row) for row in rows)
        read.append(Page(number, f"{sheet.title}\n\n{text}", (Table(tuple(rows)),) if rows else (), label=sheet.title))
    return read or [Page(1, "")]


def _shown(value: Any) -> str:
    """A value as text: dates in ISO 8601, whole numbers without a fraction."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, datetime):
        return (value.date() if value.time() == time() else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return " ".join(str(value).split())
