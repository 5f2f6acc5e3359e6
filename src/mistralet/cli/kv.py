"""`mistralet kv`: the prompts whose keys and values are kept on disk."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mistralet.cli.common import JsonOption, print_json
from mistralet.machine import format_bytes

if TYPE_CHECKING:
    from mistralet.engine.kv_catalogue import KeptPrefix

app = typer.Typer(no_args_is_help=True, help="List or remove the prompts that are kept on disk.")
console = Console(highlight=False)


@app.command("list")
def list_kept(as_json: JsonOption = False) -> None:
    """List what is kept: under a name, and what the prompts of each model left by themselves."""
    from mistralet.engine import KVLibrary
    from mistralet.engine.kv_catalogue import kept_prefixes

    library = KVLibrary()
    prefixes = kept_prefixes(library)
    if as_json:
        print_json([asdict(prefix) for prefix in prefixes])
    elif prefixes:
        console.print(_table(prefixes))
    else:
        console.print(f"Nothing is kept in {escape(str(library.folder))}.", soft_wrap=True)


@app.command("remove", no_args_is_help=True)
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Of kept prompts.")], as_json: JsonOption = False
) -> None:
    """Remove what is kept under these names, but for what other names keep, too."""
    from mistralet.engine import KVLibrary
    from mistralet.engine.kv_catalogue import remove_prefixes

    _tell(remove_prefixes(KVLibrary(), names), as_json)


@app.command("clear")
def clear_all(as_json: JsonOption = False) -> None:
    """Remove everything that is kept."""
    from mistralet.engine import KVLibrary
    from mistralet.engine.kv_catalogue import clear

    _tell(clear(KVLibrary()), as_json)


def _tell(freed: int, as_json: bool) -> None:
    if as_json:
        print_json({"freed_bytes": freed})
    else:
        console.print(f"{format_bytes(freed)} free again.")


def _table(prefixes: list[KeptPrefix]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("name", overflow="fold")
    table.add_column("model", overflow="fold")
    table.add_column("tokens", justify="right")
    table.add_column("size", justify="right")
    table.add_column("last used")
    for prefix in prefixes:
        name = "(no name)" if prefix.name is None else escape(prefix.name)
        used = f"{datetime.fromtimestamp(prefix.last_used):%Y-%m-%d %H:%M}" if prefix.tokens else "–"
        table.add_row(name, escape(prefix.model), f"{prefix.tokens:,}", format_bytes(prefix.nbytes), used)
    return table
