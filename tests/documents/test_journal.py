"""A journal knows what was done, wherever the run before was cut off."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mistralet.documents.journal import Journal
from mistralet.errors import DocumentError

WORK = {"schema": "abc", "model": "small"}
RECORDS = [{"file": f"/f/{number}.pdf", "digest": "d" * 4, "value": {"n": "é" * number}} for number in range(4)]


def written(path: Path, records: list[dict[str, Any]] = RECORDS) -> bytes:
    with closing(Journal(path, WORK)) as journal:
        for record in records:
            journal.add(record)
    return path.read_bytes()


def test_what_was_done_is_known_again(tmp_path: Path) -> None:
    written(tmp_path / "j")
    with closing(Journal(tmp_path / "j", WORK)) as journal:
        assert list(journal) == RECORDS
        assert journal.get("/f/1.pdf", "dddd") == RECORDS[1]
        assert journal.get("/f/1.pdf", "other content") is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(cut=st.integers(0, 400))
def test_cut_off_anywhere_all_whole_lines_are_kept_and_it_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "j"
    path.unlink(missing_ok=True)
    data = written(path)[:cut]
    path.write_bytes(data)
    whole = max(0, data.count(b"\n") - 1)
    with closing(Journal(path, WORK)) as journal:
        assert list(journal) == RECORDS[:whole]
        for record in RECORDS[whole:]:
            journal.add(record)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert lines[1:] == RECORDS


def test_a_later_record_counts(tmp_path: Path) -> None:
    written(tmp_path / "j", [{"file": "a", "digest": "d", "error": "no"}, {"file": "a", "digest": "d", "value": 1}])
    with closing(Journal(tmp_path / "j", WORK)) as journal:
        assert list(journal) == [{"file": "a", "digest": "d", "value": 1}]


@pytest.mark.parametrize("work", [{"schema": "other", "model": "small"}, {"schema": "abc", "model": "large"}])
def test_other_work_is_refused_and_can_be_begun_anew(tmp_path: Path, work: dict[str, Any]) -> None:
    written(tmp_path / "j")
    with pytest.raises(DocumentError, match="--restart"):
        Journal(tmp_path / "j", work)
    with closing(Journal(tmp_path / "j", work, restart=True)) as journal:
        assert list(journal) == []


@pytest.mark.parametrize("data", [b"hello\n", b"[1, 2]\n", b'{"format": "x"}\n', b"important notes"])
def test_another_file_is_not_written_to(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(data)
    with pytest.raises(DocumentError, match="not the journal"):
        Journal(path, WORK)
    assert path.read_bytes() == data


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be written"):
        Journal(tmp_path / "none" / "j", WORK)
