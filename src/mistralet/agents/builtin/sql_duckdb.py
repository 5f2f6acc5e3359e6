"""DuckDB: opened to read only, without a way to other files, extensions or Python's variables."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mistralet.agents.builtin.sql_session import SECONDS, Database
from mistralet.errors import ToolError

if TYPE_CHECKING:
    import duckdb

# https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
_SHUT = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",  # otherwise a table's name may be that of a variable in this program
    "lock_configuration": "true",
    "memory_limit": "1GB",
    "threads": "2",
}
_READING = ("SELECT", "EXPLAIN")
_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE_INTO", "CREATE", "DROP", "ALTER")


def duckdb_database(path: Path) -> Database:
    """The database in a file.

    Raises:
        ToolError: DuckDB's library is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise ToolError("DuckDB databases need a library: pip install 'mistralet[duckdb]'.") from error

    @contextmanager
    def opened(read_only: bool) -> Iterator[_Session]:
        until = time.monotonic() + SECONDS
        with _TURNS.setdefault(path, _Turns()).one(read_only):
            connection = duckdb.connect(str(path), read_only=read_only, config=dict(_SHUT))
            clock = threading.Timer(max(0.0, until - time.monotonic()), connection.interrupt)
            clock.daemon = True
            clock.start()
            try:
                yield _Session(connection)
            finally:
                clock.cancel()
                connection.close()

    return Database(
        "DuckDB",
        lambda: opened(True),
        lambda: opened(False),
        "SELECT table_name AS name, table_type AS type FROM information_schema.tables ORDER BY table_name",
        "SELECT column_name AS name, data_type AS type, is_nullable FROM information_schema.columns"
        " WHERE table_name = ? ORDER BY ordinal_position",
        duckdb.Error,
    )


class _Turns:
    """DuckDB opens a file either to read only or to write as long as a program has it open: one kind waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._users = 0
        self._read_only = True

    @contextmanager
    def one(self, read_only: bool) -> Iterator[None]:
        """A time in which the file is used in one way.

        Raises:
            ToolError: it is used in the other way for too long.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: not self._users or self._read_only is read_only, SECONDS):
                raise ToolError("The database is in use by another statement: try again later.")
            self._users, self._read_only = self._users + 1, read_only
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                self._changed.notify_all()


_TURNS: dict[Path, _Turns] = {}  # by file, as DuckDB has it


class _Session:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> tuple[list[str], Iterator[Sequence[object]]]:
        self._require(statement, _READING)
        result = self._connection.execute(statement, list(parameters))
        return [column[0] for column in result.description or ()], iter(result.fetchone, None)

    def change(self, statement: str) -> int:
        self._require(statement, _WRITING)
        found = self._connection.execute(statement).fetchone()
        return found[0] if found and isinstance(found[0], int) else -1

    def _require(self, statement: str, kinds: Sequence[str]) -> None:
        statements = self._connection.extract_statements(statement)
        if len(statements) != 1:
            raise ToolError(f"One statement at a time: this holds {len(statements)}.")
        if statements[0].type.name not in kinds:
            raise ToolError(f"Only these statements are run here: {', '.join(kinds)}.")
