"""`Database`: what the SQL tools need of each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

SECONDS = 30.0  # that a statement may take


class Session(Protocol):
    """A connection for one statement."""

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> tuple[list[str], Iterator[Sequence[object]]]:
        """The names of the columns of a query, and its rows as they are asked for."""

    def change(self, statement: str) -> int:
        """Run a statement that changes data, for good; the number of rows it changed, -1 if that is not known."""


@dataclass(frozen=True)
class Database:
    """How to reach a database and ask what is in it."""

    dialect: str
    read: Callable[[], AbstractContextManager[Session]]  # nothing can be changed through it
    write: Callable[[], AbstractContextManager[Session]]
    tables: str  # a query: the name and kind of each table
    columns: str  # a query with one parameter, a table's name: what to know of its columns
    error: type[Exception]  # what its library raises
