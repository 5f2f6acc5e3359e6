"""SQLite: opened to read only, with an authorizer that lets nothing but reading through."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from mistralet.agents.builtin.sql_session import SECONDS, Database

# Bytes of a text or blob. The clock is looked at between functions only, and `instr` and `replace` take a time that
# grows with the square of it.
_LONGEST_VALUE = 1_000_000
_LONGEST_PATTERN = 200  # of LIKE and GLOB, likewise
_LONGEST_STATEMENT = 100_000
_STEPS = 1_000  # of SQLite's machine between looks at the clock
_READING = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
_REACHING_OUT = (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_CREATE_VTABLE)
_PRAGMAS = ("table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list")
_FORBIDDEN_FUNCTIONS = (
    *("load_extension", "writefile", "readfile", "edit", "fts3_tokenizer"),
    *("printf", "format"),  # fill up to billions of characters before the longest value is looked at
)


def sqlite_database(path: Path) -> Database:
    """The database in a file."""

    @contextmanager
    def opened(mode: str) -> Iterator[_Session]:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, isolation_level=None, timeout=5)
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
            connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, _LONGEST_STATEMENT)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _LONGEST_PATTERN)
            connection.execute("PRAGMA trusted_schema = OFF")  # views cannot call functions with effects
            # Makes SQLite declare this table, which the authorizer would take for a change of the schema.
            connection.execute("SELECT name FROM pragma_table_info('')").fetchall()
            if mode == "ro":
                connection.execute("PRAGMA query_only = ON")
            connection.set_authorizer(_may_read if mode == "ro" else _may_write)
            until = time.monotonic() + SECONDS
            connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
            yield _Session(connection)
        finally:
            connection.close()

    return Database(
        "SQLite",
        lambda: opened("ro"),
        lambda: opened("rw"),
        "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_'"
        " ORDER BY name",
        'SELECT name, type, "notnull" AS required, pk AS primary_key FROM pragma_table_info(?)',
        sqlite3.Error,
    )


class _Session:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> tuple[list[str], Iterator[Sequence[object]]]:
        cursor = self._connection.execute(statement, tuple(parameters))
        return [column[0] for column in cursor.description or ()], cursor

    def change(self, statement: str) -> int:
        return self._connection.execute(statement).rowcount


def _may_read(action: int, first: str | None, second: str | None, _database: str | None, _view: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        return _verdict((second or "").lower() not in _FORBIDDEN_FUNCTIONS)
    if action == sqlite3.SQLITE_PRAGMA:
        return _verdict((first or "").lower() in _PRAGMAS)
    return _verdict(action in _READING)


def _may_write(action: int, first: str | None, second: str | None, database: str | None, view: str | None) -> int:
    if action in (sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_PRAGMA):
        return _may_read(action, first, second, database, view)
    return _verdict(action not in _REACHING_OUT)


def _verdict(allowed: bool) -> int:
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY
