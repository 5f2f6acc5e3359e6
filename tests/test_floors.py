"""A room imports only from the floors below it, or from itself (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "mistralet"
FLOORS = {
    "__init__": 0,
    "errors": 0,
    "files": 0,
    "imports": 0,
    "limited_program": 0,
    "machine": 0,
    "native": 0,
    "content_encoding": 0,
    "page_text": 0,
    "web": 0,
    "config": 0,
    "quant": 1,
    "ops": 1,
    "model": 2,
    "checkpoint": 2,
    "tokenizer": 2,
    "hub": 2,
    "engine": 3,
    "chat": 3,
    "agents": 4,
    "documents": 4,
    "server": 5,
    "evals": 5,
    "cli": 6,
    "__main__": 7,
}
# On one floor, and yet one above the other.
ALLOWED_ON_ONE_FLOOR = {
    *(("machine", "errors"), ("config", "errors"), ("native", "errors"), ("native", "machine"), ("web", "errors")),
    ("web", "content_encoding"),
    ("ops", "quant"),
    ("chat", "engine"),
}


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported_rooms(code: str) -> set[str]:
    """The rooms of mistralet that a file names in any import, wherever it stands."""
    modules = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [alias.name for alias in node.names]
            modules += [f"mistralet.{name}" for name in names] if node.module == "mistralet" else [node.module]
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    parts = [module.split(".") for module in modules]
    return {part[1] if part[1:] and part[1] in FLOORS else "__init__" for part in parts if part[0] == "mistralet"}


def has_relative_import(code: str) -> bool:
    """Such an import does not say which room it enters; the house has none."""
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(ast.parse(code)))


def offences(room: str, code: str) -> list[str]:
    return ["a relative import"] * has_relative_import(code) + sorted(
        other
        for other in imported_rooms(code)
        if other not in (room, "__init__")
        and FLOORS[other] >= FLOORS[room]
        and (room, other) not in ALLOWED_ON_ONE_FLOOR
    )


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(path) for path in SOURCE.rglob("*.py")}
    assert rooms == set(FLOORS)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    assert offences(room_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("room", "code", "expected"),
    [
        ("model", "from mistralet.engine import Engine", ["engine"]),
        ("model", "def f():\n    import mistralet.cli.main", ["cli"]),
        ("model", "if TYPE_CHECKING:\n    from mistralet.checkpoint import Checkpoint", ["checkpoint"]),
        ("ops", "from mistralet import model", ["model"]),
        ("engine", "from mistralet.model import MistralSmall\nfrom mistralet.engine.load import load", []),
        ("cli", "from mistralet import __version__", []),
        ("model", "from ..engine import Engine", ["a relative import"]),
        ("model", "import os, mistralet.quant.block, mistralet.hub as names", ["hub"]),
        ("quant", "from mistralet.ops.linear import linear", ["ops"]),
        ("errors", "from mistralet.machine import ram", ["machine"]),
    ],
)
def test_an_import_that_goes_up_is_found(room: str, code: str, expected: list[str]) -> None:
    assert offences(room, code) == expected
