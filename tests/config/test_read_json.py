"""Reading of a JSON file: a table, or a sentence that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mistralet.config.fields import read_json_table
from mistralet.errors import ConfigError


def test_an_object_is_read(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text('{"a": 1, "b": {"c": "é"}}', encoding="utf-8")
    assert read_json_table(file) == {"a": 1, "b": {"c": "é"}}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b'{"a": 1} x',
        b"\xff\xfe{\x00}\x00",
        b'{"a": "\xff"}',
        b"version https://git-lfs.github.com/spec/v1",
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 200_000,
    ],
    ids=["empty", "cut", "rest", "utf-16", "no-utf-8", "lfs-pointer", "endless-number", "too-deep"],
)
def test_what_is_no_json_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        read_json_table(file)
    assert str(raised.value) == f"{file}: cannot be read as JSON; download the file again"


@pytest.mark.parametrize(("content", "kind"), [("[]", "list"), ("3", "int"), ("null", "NoneType"), ('"{}"', "str")])
def test_json_that_is_no_object_is_refused(content: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match=f"must hold a JSON object, but holds a {kind}"):
        read_json_table(file)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read as JSON"):
            read_json_table(path)


def test_a_file_of_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    with file.open("wb") as sparse:
        sparse.truncate(1 << 40)
    with pytest.raises(ConfigError, match="is too large to be a configuration file"):
        read_json_table(file)
