"""Results of many files as one table."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from mistralet.documents.tables import write_table
from mistralet.errors import DocumentError, UsageError

RECORDS: list[dict[str, Any]] = [
    {"file": "a.pdf", "digest": "1", "value": {"n": 1, "who": {"name": "Zoë"}, "tags": ["x", "y"], "mixed": 3}},
    {"file": "b.pdf", "digest": "2", "error": "b.pdf is empty."},
    {"file": "c.pdf", "digest": "3", "value": {"n": 2.5, "who": {"name": "=1+1"}, "tags": [], "mixed": "three"}},
]
COLUMNS = ["file", "error", "n", "who.name", "tags[0]", "tags[1]", "mixed"]


def test_json_lines_are_the_records(tmp_path: Path) -> None:
    write_table(tmp_path / "out.jsonl", RECORDS)
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == RECORDS


def test_csv_has_a_column_for_each_path_and_no_formulas(tmp_path: Path) -> None:
    write_table(tmp_path / "out.csv", RECORDS)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_bytes().decode("utf-8-sig"))))
    assert list(rows[0]) == COLUMNS
    assert rows[0]["who.name"] == "Zoë"
    assert rows[1]["error"] == "b.pdf is empty."
    assert rows[2]["who.name"] == "'=1+1"


def test_parquet_keeps_types_where_they_agree(tmp_path: Path) -> None:
    write_table(tmp_path / "out.parquet", RECORDS)
    table = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pydict()
    assert list(table) == COLUMNS
    assert table["n"] == [1.0, None, 2.5]
    assert table["mixed"] == ["3", None, "three"]
    assert table["tags[1]"] == ["y", None, None]


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
def test_no_records_make_an_empty_table(tmp_path: Path, ending: str) -> None:
    write_table(tmp_path / f"out{ending}", [])
    assert (tmp_path / f"out{ending}").exists()


def test_other_endings_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="endings"):
        write_table(tmp_path / "out.xlsx", RECORDS)
    with pytest.raises(DocumentError, match="cannot be written"):
        write_table(tmp_path / "none" / "out.csv", RECORDS)
    assert list(tmp_path.iterdir()) == []
