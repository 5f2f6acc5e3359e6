"""Schemas from files and from pydantic models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mistralet.documents.schemas import load_schema
from mistralet.errors import UsageError

CODE = """from pydantic import BaseModel


class Bill(BaseModel):
    total: float
    buyer: str | None = None


other = 3
"""


def test_a_json_file(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    (tmp_path / "s.json").write_text(json.dumps(schema))
    assert load_schema(str(tmp_path / "s.json")) == schema


def test_pydantic_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "forms_of_a_test.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("pydantic:forms_of_a_test.Bill", "forms_of_a_test.py:Bill"):
        assert list(load_schema(name)["properties"]) == ["total", "buyer"]


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("none.json", None, "cannot be read"),
        ("s.json", "{", "is no JSON"),
        ("s.json", '{"type": "objekt"}', "is no JSON schema"),
        ("s.json", "true", "no schema of an object"),
        ("none.py:Bill", None, "is no file"),
        ("f.py:Bill", "x = = 1", "cannot be run"),
        ("f.py:other", CODE, "is no pydantic model"),
        ("f.py:missing", CODE, "is no pydantic model"),
        ("pydantic:no_such_module_here.Bill", None, "cannot be imported"),
        ("pydantic:Bill", None, "names no class"),
    ],
)
def test_what_is_no_schema_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str | None, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name.partition(":")[0]).write_text(content)
    with pytest.raises(UsageError, match=why):
        load_schema(name)
