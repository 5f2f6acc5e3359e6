"""`mistralet pull`: bring a model to this machine."""

from __future__ import annotations

import shlex

import typer

from mistralet.cli.common import JsonOption, ModelArgument, print_json
from mistralet.hub import download


def pull(model: ModelArgument = None, as_json: JsonOption = False) -> None:
    """Download a model, or bring its copy on this machine up to date."""
    pulled = download(model)
    if as_json:
        print_json({"name": pulled.name, "path": pulled.path})
        return
    typer.echo(pulled.path)
    typer.echo(f"Next: mistralet chat {shlex.quote(pulled.name)}")
