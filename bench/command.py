"""What the commands of the benchmarks have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import platformdirs
import typer

from mistralet.errors import MistraletError, UsageError


def run_command(command: Callable[..., None], name: str) -> None:
    """Run a command; an error a user can cause ends it with one sentence and exit code 2, Ctrl-C with 130.

    Args:
        name: of its module in `bench`.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        app(prog_name=f"python -m bench.{name}")
    except MistraletError as error:
        typer.echo(f"bench: {error}", err=True)
        sys.exit(2)


def at_least_one(name: str, value: int) -> int:
    """`value` itself. Raises `UsageError` if it is less than 1."""
    if value < 1:
        raise UsageError(f"--{name} is {value}, but must be at least 1.")
    return value


def model_folder(keep: Path | None) -> Path:
    """Where the models lie that benchmarks write: what the user named, or a place in the user's cache."""
    return (keep or platformdirs.user_cache_path("mistralet") / "bench").absolute()


def packed_cache(folder: Path) -> Path:
    """The cache folder for the packed weights of those models, apart from the user's own."""
    return folder / "mistralet-bench-cache"
