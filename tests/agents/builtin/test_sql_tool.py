"""The SQL tools read databases of three kinds, within bounds, and change nothing unless they may."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mistralet.agents.builtin import named_tools, sql, sql_duckdb, sql_postgres, sql_sqlite
from mistralet.errors import ToolError
from support.tool_calls import call

duckdb = pytest.importorskip("duckdb")
psycopg = pytest.importorskip("psycopg")

TABLES = [
    "CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR(100) NOT NULL)",
    "CREATE TABLE orders (id INTEGER, customer INTEGER, amount NUMERIC(10, 2))",
    "CREATE VIEW totals AS SELECT customer, sum(amount) AS total FROM orders GROUP BY customer",
    "INSERT INTO customers VALUES (1, 'Ana'), (2, 'Bo')",
    "INSERT INTO orders VALUES (1, 1, 10.5), (2, 1, 4), (3, 2, 7)",
]
POSTGRES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"))), None) or (
    Path(shutil.which("postgres") or "").parent if shutil.which("postgres") else None
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The URL of a real server's database, for a user who may write there; it is stopped after the tests."""
    if POSTGRES is None or not (POSTGRES / "initdb").exists():
        pytest.skip("no PostgreSQL server is installed here")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # a path that is short enough for a socket
    owner: dict[str, object] = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder, **owner}
    data = folder / "data"
    subprocess.run([POSTGRES / "initdb", "-D", data, "-U", "admin", "-A", "trust", "-N"], check=True, **quiet)  # type: ignore[call-overload]
    options = f"-F -k {folder} -h 127.0.0.1 -p {port}"
    subprocess.run([POSTGRES / "pg_ctl", "-D", data, "-o", options, "-w", "start"], check=True, **quiet)  # type: ignore[call-overload]
    try:
        with psycopg.connect(f"postgresql://admin@127.0.0.1:{port}/postgres", autocommit=True) as connection:
            connection.execute("CREATE ROLE seller LOGIN PASSWORD 'hidden'")
            connection.execute("CREATE DATABASE sales OWNER seller")
        yield f"postgresql://seller@127.0.0.1:{port}/sales"
    finally:
        subprocess.run([POSTGRES / "pg_ctl", "-D", data, "-m", "immediate", "stop"], check=True, **quiet)  # type: ignore[call-overload]
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "duckdb", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What the specification of a database with the tables says after `sql:`."""
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres"))
        with psycopg.connect(url) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
            for statement in TABLES:
                connection.execute(statement)
        return url
    file = tmp_path / "sales.db"
    with sqlite3.connect(file) if request.param == "sqlite" else duckdb.connect(str(file)) as connection:
        for statement in TABLES:
            connection.execute(statement)
    connection.close()
    return str(file)


def test_what_is_in_a_database(database: str) -> None:
    lines = call(f"sql:{database}", "list_tables").splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["name", "customers", "orders", "totals"]
    described = call(f"sql:{database}", "describe_table", table="customers").splitlines()
    assert [line.split(" | ")[0] for line in described] == ["name", "id", "name"]
    with pytest.raises(ToolError, match="There is no table 'nothing'"):
        call(f"sql:{database}", "describe_table", table="nothing")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_columns_of_a_view_and_of_a_table_with_a_strange_name(database: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute('CREATE TABLE "a \'b" (c TEXT)')
    connection.close()
    assert call(f"sql:{database}", "describe_table", table="a 'b").splitlines()[1] == "c | TEXT | 0 | 0"
    assert len(call(f"sql:{database}", "describe_table", table="totals").splitlines()) == 3


@pytest.mark.parametrize("database", ["sqlite", "duckdb", "postgres"], indirect=True)
def test_reading_and_changing_at_the_same_time(database: str) -> None:
    tools = {tool.tool.name: tool for tool in named_tools(f"sql:{database}:write")}

    async def all_at_once() -> list[object]:
        count = "SELECT count(*) AS n FROM orders"
        change = "INSERT INTO orders VALUES (9, 9, 9)"
        calls = [("run_query", {"query": count}), ("change_data", {"statement": change})] * 4
        return await asyncio.gather(*(tools[name].run(arguments) for name, arguments in calls))

    assert asyncio.run(all_at_once()).count("Done: 1 rows changed.") == 4


@pytest.mark.parametrize("database", ["duckdb"], indirect=True)
def test_a_change_waits_for_a_query_only_so_long(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_duckdb, "SECONDS", 0.1)
    opened = sql_duckdb.duckdb_database(Path(database).resolve())
    with opened.read(), opened.read(), pytest.raises(ToolError, match="in use by another statement"), opened.write():
        pass


def test_queries_are_answered(database: str) -> None:
    query = "SELECT name, total FROM totals JOIN customers ON id = customer ORDER BY name"
    told = call(f"sql:{database}", "run_query", query=query).splitlines()
    assert told[0] == "name | total"
    assert [(line.split(" | ")[0], float(line.split(" | ")[1])) for line in told[1:]] == [("Ana", 14.5), ("Bo", 7.0)]
    assert call(f"sql:{database}", "run_query", query="SELECT 1 AS a WHERE 1 = 0") == "[The result has no rows.]"
    assert call(f"sql:{database}", "run_query", query="SELECT NULL AS a, 'x|y\nz' AS b;") == "a | b\nNULL | x\\|y\\nz"


def test_long_results_are_cut_and_counted(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i, {} FROM n"
    lines = call(f"sql:{database}", "run_query", query=numbers.format(250, "1")).splitlines()
    assert (lines[1], len(lines), lines[-1]) == ("1 | 1", 102, "[150 rows are left out.]")
    monkeypatch.setattr(sql, "_MOST_COUNTED", 200)
    assert call(f"sql:{database}", "run_query", query=numbers.format(500, "1")).endswith(
        "[200 or more rows are left out.]"
    )
    wide = call(
        f"sql:{database}", "run_query", query="SELECT replace('{}', 'x', '{}') AS a".format("x" * 100, "y" * 100)
    )
    assert wide == "a\n" + "y" * 500 + "..."
    cells = ", ".join(["'" + "z" * 400 + "'"] * 20)
    assert len(call(f"sql:{database}", "run_query", query=numbers.format(90, cells))) < 41_000  # with a head


CHANGES = [
    "INSERT INTO customers VALUES (3, 'Eve')",
    "UPDATE customers SET name = 'Eve'",
    "DELETE FROM customers",
    "DROP TABLE orders",
    "CREATE TABLE more (a INTEGER)",
    "ALTER TABLE orders ADD COLUMN b INTEGER",
    "CREATE TABLE copied AS SELECT * FROM orders",
    "WITH x AS (SELECT 1) INSERT INTO customers SELECT 9, 'Eve'",
    "EXPLAIN ANALYZE DELETE FROM customers",
    "SELECT 1; DELETE FROM customers",
    "BEGIN; DELETE FROM customers; COMMIT",
    "COMMIT; DELETE FROM customers",
    "/* SELECT */ DELETE FROM customers",
    "-- SELECT\nDELETE FROM customers",
    "",
    "\0",
    "SELEC 1",
]


@pytest.mark.parametrize("statement", CHANGES)
def test_reading_changes_nothing(database: str, statement: str) -> None:
    # Where it is nothing at all, SQLite takes it for a query without a result.
    refused = contextlib.suppress(ToolError) if statement == "" else pytest.raises(ToolError)
    with refused as caught:
        call(f"sql:{database}", "run_query", query=statement)
    assert caught is None or len(str(caught.value)) < 700
    for write in ("", ":write"):  # the tool that reads does no more where writing is allowed
        count = call(f"sql:{database}{write}", "run_query", query="SELECT count(*) AS n, max(name) AS m FROM customers")
        assert count == "n | m\n2 | Bo"
    assert len(call(f"sql:{database}", "list_tables").splitlines()) == 4


def test_changes_where_they_are_allowed(database: str) -> None:
    spec = f"sql:{database}:write"
    assert call(spec, "change_data", statement="INSERT INTO customers VALUES (3, 'Cy')") == "Done: 1 rows changed."
    assert (
        call(spec, "change_data", statement="UPDATE customers SET name = 'Di' WHERE id > 1") == "Done: 2 rows changed."
    )
    assert call(spec, "change_data", statement="CREATE TABLE more (a INTEGER)").startswith("Done")
    assert call(spec, "run_query", query="SELECT count(*) AS n FROM customers WHERE name = 'Di'") == "n\n2"
    assert "more" in call(spec, "list_tables")
    for statement in ("INSERT INTO nothing VALUES (1)", "DELETE FROM orders; DELETE FROM customers"):
        with pytest.raises(ToolError):
            call(spec, "change_data", statement=statement)
    assert call(spec, "run_query", query="SELECT count(*) AS n FROM orders") == "n\n3"


OUTSIDE = {
    "sqlite": [
        *("ATTACH '{file}' AS x", "ATTACH ':memory:' AS x", "VACUUM INTO '{file}'", "DETACH main", "VACUUM"),
        *(
            "PRAGMA query_only = OFF",
            "PRAGMA writable_schema = ON",
            "PRAGMA journal_mode = DELETE",
            "PRAGMA temp_store = 1",
        ),
        *("SELECT load_extension('{file}')", "SELECT readfile('/etc/passwd')", "SELECT writefile('{file}', 'x')"),
        *("SELECT edit('x', 'sh')", "SELECT length(zeroblob(1000000000))", "SELECT fts3_tokenizer('simple')"),
        *("SELECT printf('%.*c', 2000000000, 'x')", "SELECT format('%2000000000d', 1)", "SELECT randomblob(2000000)"),
        *("SELECT hex(zeroblob(600000))", "SELECT replace(hex(zeroblob(1000)), '0', hex(zeroblob(1000)))"),
        *("SELECT 'x' LIKE hex(zeroblob(101))", "SELECT 'x' GLOB hex(zeroblob(101))"),
        *("CREATE TEMP TABLE t (a)", "CREATE VIRTUAL TABLE t USING fts5(a)", "SAVEPOINT x", "BEGIN IMMEDIATE"),
    ],
    "duckdb": [
        *("ATTACH '{file}' AS x", "COPY customers TO '{file}'", "COPY customers FROM '/etc/passwd'", "LOAD '{file}'"),
        *("SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM '/etc/passwd'", "SELECT * FROM glob('/etc/*')"),
        *("SELECT * FROM read_text('/etc/passwd')", "SELECT * FROM read_blob('https://site.example/')"),
        *("EXPORT DATABASE '{file}'", "IMPORT DATABASE '{file}'", "INSTALL httpfs", "INSTALL sqlite FROM community"),
        *("SET enable_external_access = true", "SET lock_configuration = false", "SET memory_limit = '100GB'"),
        *("PRAGMA enable_profiling", "SELECT getenv('HOME')", "CALL pragma_version()", "SELECT * FROM _SHUT"),
        *("CREATE SECRET s (TYPE s3)", "USE x", "PREPARE p AS SELECT 1"),
    ],
    "postgres": [
        *("COPY customers TO '{file}'", "COPY customers TO PROGRAM 'id'", "COPY customers FROM '/etc/passwd'"),
        *(
            "(COPY customers TO '{file}')",
            "-- x\rCOPY customers TO '{file}'",
            "/* /* */ SELECT */ COPY customers TO STDOUT",
        ),
        *("SELECT pg_read_file('/etc/passwd')", "SELECT pg_ls_dir('/')", "SELECT lo_import('/etc/passwd')"),
        *(
            "SELECT nextval('s')",
            "SELECT * FROM customers FOR UPDATE",
        ),
        *("SET transaction_read_only = off", "SELECT set_config('transaction_read_only', 'off', false)"),
        *("SELECT set_config('role', 'admin', false)", "DO $$ BEGIN DELETE FROM customers; END $$", "LISTEN x"),
        *(
            "SELECT 1 INTO copied",
            "CALL x()",
            "LOCK customers",
            "COMMIT",
            "DISCARD ALL",
            "SELECT %s",
            "PREPARE p AS SELECT 1",
        ),
    ],
}


@pytest.mark.parametrize("database", ["sqlite", "duckdb", "postgres"], indirect=True)
def test_nothing_else_is_reached(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    kind = request.node.callspec.params["database"]
    file = tmp_path / "new.file"
    for statement in OUTSIDE[kind]:
        with pytest.raises(ToolError) as caught:
            pytest.fail(f"{statement}: {call(f'sql:{database}', 'run_query', query=statement.format(file=file))}")
        assert "root:" not in str(caught.value)
        assert "hidden" not in str(caught.value)
    assert not file.exists()


@pytest.mark.parametrize("database", ["sqlite", "duckdb"], indirect=True)
def test_writing_reaches_nothing_else_either(database: str, tmp_path: Path) -> None:
    file = tmp_path / "new.file"
    for statement in ("ATTACH '{}' AS x", "VACUUM INTO '{}'", "COPY customers TO '{}'", "PRAGMA writable_schema = ON"):
        with pytest.raises(ToolError):
            call(f"sql:{database}:write", "change_data", statement=statement.format(file))
    assert not file.exists()


def test_a_superuser_is_refused(postgres: str) -> None:
    admin = postgres.replace("seller@", "admin@")
    with pytest.raises(ToolError, match="is a superuser"):
        call(f"sql:{admin}", "run_query", query="SELECT pg_read_file('/etc/passwd')")


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(ToolError, match="PostgreSQL refuses") as caught:
        call("sql:postgresql://me:hidden@127.0.0.1:1/x", "list_tables")
    assert "hidden" not in str(caught.value)


def test_long_queries_are_stopped(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sql_sqlite, sql_duckdb, sql_postgres):
        monkeypatch.setattr(module, "SECONDS", 0.2)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n WHERE i < 0"
    with pytest.raises(ToolError, match=r"(?i)interrupt|timeout"):
        call(f"sql:{database}", "run_query", query=endless)
