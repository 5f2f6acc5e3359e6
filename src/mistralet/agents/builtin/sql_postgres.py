"""PostgreSQL: one statement in a read-only transaction that is undone after it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from mistralet.agents.builtin.sql_session import SECONDS, Database
from mistralet.errors import ToolError

if TYPE_CHECKING:
    import psycopg

# COPY and a few others reach files and programs of the server, even in a read-only transaction.
_READING = ("SELECT", "WITH", "VALUES", "TABLE", "EXPLAIN", "SHOW")
_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "CREATE", "ALTER", "DROP", "TRUNCATE")
# The first word after spaces, brackets and comments up to the end of a line. Comments of the other kind can be nested,
# so that a pattern cannot tell where they end: a statement that begins with one is refused.
_FIRST_WORD = re.compile(r"(?:\s|\(|--[^\r\n]*[\r\n])*([a-zA-Z]+)")


def postgres_database(url: str) -> Database:
    """The database of a URL, `postgresql://user:password@host/name`.

    Raises:
        ToolError: the library for PostgreSQL is not installed.
    """
    try:
        import psycopg
    except ImportError as error:
        raise ToolError("PostgreSQL databases need a library: pip install 'mistralet[postgres]'.") from error

    @contextmanager
    def opened(read_only: bool) -> Iterator[_Session]:
        with psycopg.connect(url, connect_timeout=10, application_name="mistralet") as connection:
            connection.read_only = read_only
            connection.execute(_sql(f"SET LOCAL statement_timeout = {int(SECONDS * 1000)}"))
            if read_only:
                _refuse_superuser(connection)
            session = _Session(connection)
            try:
                yield session
            finally:
                session.close()
                connection.rollback()

    return Database(
        "PostgreSQL",
        lambda: opened(True),
        lambda: opened(False),
        "SELECT CASE table_schema WHEN 'public' THEN '' ELSE table_schema || '.' END || table_name AS name,"
        " table_type AS type FROM information_schema.tables"
        " WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
        "SELECT column_name AS name, data_type AS type, is_nullable FROM information_schema.columns"
        " WHERE %s::text IN (table_name::text, table_schema || '.' || table_name)"
        " ORDER BY table_schema, ordinal_position",
        psycopg.Error,
    )


def _refuse_superuser(connection: psycopg.Connection[Any]) -> None:
    """A superuser reads and writes the server's files through functions, whatever the transaction is."""
    found = connection.execute("SELECT current_setting('is_superuser')").fetchone()
    if found and found[0] == "on":
        raise ToolError("The database's user is a superuser: connect as one who may only read what the model may see.")


class _Session:
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._results: list[Generator[Sequence[object], None, None]] = []

    def close(self) -> None:
        """Give up results that were not read to their end: they hold the connection."""
        for result in self._results:
            result.close()

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> tuple[list[str], Iterator[Sequence[object]]]:
        _require(statement, _READING)
        cursor = self._connection.cursor()
        # Row by row, and by the protocol that takes one statement only.
        stream = cast(
            Generator[Sequence[object], None, None], cursor.stream(_sql(statement), tuple(parameters) or None)
        )
        self._results.append(stream)
        first = list(itertools.islice(stream, 1))
        return [column.name for column in cursor.description or ()], itertools.chain(first, stream)

    def change(self, statement: str) -> int:
        _require(statement, _WRITING)
        changed = self._connection.execute(_sql(statement), prepare=True).rowcount
        self._connection.commit()
        return changed


def _sql(statement: str) -> Any:
    """A statement for psycopg, whose types take only what stands in the program."""
    return statement


def _require(statement: str, words: Sequence[str]) -> None:
    found = _FIRST_WORD.match(statement)
    if found is None or found[1].upper() not in words:
        raise ToolError(f"Only statements that begin with one of these words are run: {', '.join(words)}.")
