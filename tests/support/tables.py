"""Changes of nested configuration tables, and values that no key of one can take."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from mistralet.errors import ConfigError

REMOVED = object()

Path = tuple[str, ...]

# What no key that counts something can be, and what no key that measures something can be.
NO_COUNTS = [0, -1, 1.5, "40", True, [], {}, [40], 1 << 40, 1e300, float("nan"), float("inf"), 10**400]
NO_NUMBERS = [0, -1e-5, "1e9", False, [], {}, [1e9], 1e300, 1e-300, float("nan"), float("inf"), 10**400]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([10**400, "silu"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def changed(table: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """A copy of `table` with another value at `path`, or with none if it is `REMOVED`."""
    table = copy.deepcopy(table)
    inner = table
    for key in path[:-1]:
        inner = inner[key]
    if value is REMOVED:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return table


def paths(table: dict[str, Any]) -> list[Path]:
    """The place of every value, inner tables included."""
    found: list[Path] = []
    for key, value in table.items():
        found.append((key,))
        if isinstance(value, dict):
            found += [(key, *path) for path in paths(value)]
    return found


def damaged(*tables: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any JSON object: one of `tables` with a few values replaced or removed, or nothing like them."""

    def damage(table: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
        change = st.tuples(st.sampled_from(paths(table)), JSON | st.just(REMOVED))
        return st.lists(change, min_size=1, max_size=3).map(lambda changes: apply(table, changes))

    def apply(table: dict[str, Any], changes: list[tuple[Path, Any]]) -> dict[str, Any]:
        for path, value in changes:
            try:
                table = changed(table, path, value)
            except (KeyError, TypeError, IndexError):  # an earlier change took its place away
                continue
        return table

    keys = st.sampled_from(sorted({path[-1] for table in tables for path in paths(table)}))
    return st.sampled_from(tables).flatmap(damage) | st.dictionaries(keys | st.text(max_size=8), JSON, max_size=12)


def outcome(read: Callable[[], Any]) -> Any:
    """What `read` gives, or the text of the `ConfigError` it raises."""
    try:
        return read()
    except ConfigError as error:
        return str(error)
