"""`mistralet list`: the models on this machine."""

from __future__ import annotations

from dataclasses import asdict

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mistralet.cli.common import JsonOption, print_json
from mistralet.hub import LocalModel, list_local
from mistralet.machine import format_bytes


def list_models(as_json: JsonOption = False) -> None:
    """List the models that need no download."""
    models = list_local()
    if as_json:
        print_json([asdict(model) for model in models])
    elif models:
        Console(highlight=False).print(_table(models))
    else:
        Console(highlight=False).print("No models yet; 'mistralet pull small-3.2:q4' gets one.")


def _table(models: list[LocalModel]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("name", overflow="fold")
    table.add_column("format")
    table.add_column("size", justify="right")
    table.add_column("path", overflow="fold", style="dim")
    for model in models:
        path = escape(str(model.path))
        table.add_row(model.alias or model.name, model.format, format_bytes(model.size), path)
    return table
