"""`list_tables`, `describe_table`, `run_query` and, where allowed, `change_data`, over one database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mistralet.agents.builtin.specs import split_write
from mistralet.agents.builtin.sql_duckdb import duckdb_database
from mistralet.agents.builtin.sql_postgres import postgres_database
from mistralet.agents.builtin.sql_session import SECONDS, Database
from mistralet.agents.builtin.sql_sqlite import sqlite_database
from mistralet.agents.function_tool import function_tool
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError

_MOST_ROWS = 100
_LONGEST = 20_000  # characters of all rows
_LONGEST_CELL = 500  # characters
_MOST_COUNTED = 100_000  # rows that are counted on when no more are shown
_LONGEST_ERROR = 500


def sql_tools(rest: str) -> list[AgentTool]:
    """The tools for `sql:FILE`, `sql:sqlite:///FILE` and `sql:postgresql://...`, which read; `:write` adds changing.

    Raises:
        ToolError: there is no such database, or its library is not installed.
    """
    place, may_write = split_write(rest)
    database = _database(place)

    def list_tables() -> str:
        """List the tables and views of the database."""
        return _query(database, database.tables) or "[The database has no tables.]"

    def describe_table(table: str) -> str:
        """Tell the columns of a table and their types.

        Args:
            table: its name as list_tables gives it.
        """
        found = _query(database, database.columns, [table])
        if not found:
            raise ToolError(f"There is no table '{table[:200]}'; list_tables tells which there are.")
        return found

    def run_query(query: str) -> str:
        return _query(database, query) or "[The result has no rows.]"

    def change_data(statement: str) -> str:
        return _change(database, statement)

    run_query.__doc__ = f"""Read from the database with one query, in {database.dialect}'s SQL.

    Args:
        query: one SELECT; at most {_MOST_ROWS} rows are shown, so let the database count, sum and sort.
    """
    change_data.__doc__ = f"""Change the database with one statement, in {database.dialect}'s SQL.

    Args:
        statement: one INSERT, UPDATE, DELETE or the like.
    """
    reading = [function_tool(tool, timeout=SECONDS + 15) for tool in (list_tables, describe_table, run_query)]
    return reading + [function_tool(change_data, needs_consent=True, timeout=SECONDS + 15)] * may_write


def _database(place: str) -> Database:
    if place.startswith(("postgresql://", "postgres://")):
        return postgres_database(place)
    kind, separator, path = place.partition(":///")
    if not separator:
        kind, path = "", place
    if not path:
        raise ToolError("The tool 'sql' needs a database: sql:FILE or sql:postgresql://user@host/name.")
    file = Path(path).expanduser()
    if not file.is_file():
        raise ToolError(f"There is no database '{path}'.")
    kind = kind or _kind_of(file)
    if kind not in ("sqlite", "duckdb"):
        raise ToolError(f"'{path}' is of no kind that is known: SQLite, DuckDB, or postgresql://user@host/name.")
    return (sqlite_database if kind == "sqlite" else duckdb_database)(file.resolve())


def _kind_of(file: Path) -> str:
    with file.open("rb") as opened:
        beginning = opened.read(16)
    if beginning == b"SQLite format 3\x00" or not beginning:
        return "sqlite"
    return "duckdb" if beginning[8:12] == b"DUCK" else ""


def _query(database: Database, statement: str, parameters: Sequence[object] = ()) -> str:
    with _refusals(database), database.read() as session:
        columns, rows = session.rows(statement, parameters)
        return _table(columns, rows)


def _change(database: Database, statement: str) -> str:
    with _refusals(database), database.write() as session:
        changed = session.change(statement)
    return "Done." if changed < 0 else f"Done: {changed:,} rows changed."


@contextmanager
def _refusals(database: Database) -> Iterator[None]:
    """What the database complains of, as a sentence."""
    try:
        yield
    except (database.error, OverflowError, UnicodeError) as error:
        raise ToolError(f"{database.dialect} refuses: {str(error).strip()[:_LONGEST_ERROR]}") from error


def _table(columns: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    """Rows below the names of their columns, and how many there are more; empty if there are none."""
    lines: list[str] = []
    used, left_out = 0, 0
    for row in rows:
        line = " | ".join(map(_cell, row))[:_LONGEST]
        if left_out or len(lines) == _MOST_ROWS or (lines and used + len(line) > _LONGEST):
            left_out += 1
            if left_out == _MOST_COUNTED:
                break
            continue
        lines.append(line)
        used += len(line)
    more = "or more " if left_out == _MOST_COUNTED else ""
    note = [f"[{left_out:,} {more}rows are left out.]"] if left_out else []
    return "\n".join([" | ".join(map(_cell, columns))[:_LONGEST], *lines, *note]) if lines else ""


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(bytes(value)):,} bytes>"
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)
    short = text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}..."
    return short.replace("\r", "").replace("\n", "\\n").replace("|", "\\|")
