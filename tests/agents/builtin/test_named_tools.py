"""Tools are there when they are named, and only those."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mistralet.agents.builtin import BUILTIN, named_tools, sandbox
from mistralet.chat.names import name_problem
from mistralet.errors import ToolError

CONFINED = sandbox.landlock_version() >= sandbox.LEAST_LANDLOCK


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("notes").mkdir()
    Path("empty.db").touch()


@pytest.mark.parametrize(
    ("spec", "names", "asking"),
    [
        ("calculator", ["calculate"], []),
        ("time", ["current_time", "days_between"], []),
        ("files:notes", ["list_files", "read_file", "search_files"], []),
        ("files:notes:write", ["list_files", "read_file", "search_files", "write_file"], ["write_file"]),
        ("sql:empty.db", ["list_tables", "describe_table", "run_query"], []),
        (
            "sql:sqlite:///empty.db:write",
            ["list_tables", "describe_table", "run_query", "change_data"],
            ["change_data"],
        ),
        ("fetch:example.com,*.example.org", ["fetch_page"], []),
        ("fetch:*", ["fetch_page"], []),
        pytest.param("python", ["run_python"], ["run_python"], marks=pytest.mark.skipif(not CONFINED, reason="Linux")),
    ],
)
def test_a_specification_names_tools(spec: str, names: list[str], asking: list[str]) -> None:
    tools = named_tools(spec)
    assert [tool.name for tool in tools] == names
    assert [tool.name for tool in tools if tool.needs_consent] == asking
    assert all(tool.tool.description and not name_problem(tool.name) for tool in tools)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "There is no built-in tool ''"),
        ("shell", f"there are: {', '.join(BUILTIN)}"),
        ("Calculator", "There is no built-in tool 'Calculator'"),
        ("calculator:x", "takes nothing after its name"),
        ("time:UTC", "takes nothing after its name"),
        ("python:x", "takes nothing after its name"),
        ("files", "needs a folder"),
        ("files:", "needs a folder"),
        ("files:nowhere", "There is no folder 'nowhere'"),
        ("files:empty.db", "is not a folder"),
        ("sql", "needs a database"),
        ("sql:nowhere.db", "There is no database 'nowhere.db'"),
        ("sql:notes", "There is no database 'notes'"),
        ("sql:mysql:///empty.db", "is of no kind that is known"),
        ("sql::memory:", "There is no database"),
        ("fetch", "needs hosts"),
        ("fetch: , ", "needs hosts"),
        ("fetch:https://example.com", "is no host"),
        ("fetch:example.com/path", "is no host"),
        ("fetch:*.*.com", "is no host"),
        ("fetch:*evil.com", "is no host"),
    ],
)
def test_what_cannot_be_is_refused_when_it_is_named(spec: str, said: str) -> None:
    with pytest.raises(ToolError) as caught:
        named_tools(spec)
    assert said in str(caught.value)


def test_a_file_of_another_kind_is_no_database() -> None:
    Path("text.db").write_text("hello")
    with pytest.raises(ToolError, match="of no kind that is known"):
        named_tools("sql:text.db")


@pytest.mark.parametrize(
    ("library", "spec", "extra"),
    [
        ("duckdb", "sql:duckdb:///empty.db", "mistralet[duckdb]"),
        ("psycopg", "sql:postgresql://localhost/x", "mistralet[postgres]"),
        ("selectolax", "fetch:*", "mistralet[web]"),
    ],
)
def test_a_library_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, library: str, spec: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == library else name)
    with pytest.raises(ToolError, match=extra.replace("[", r"\[")):
        named_tools(spec)
