"""`mistralet inspect`: what a model on disk is made of, and whether it is whole."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from mistralet.checkpoint import Checkpoint, Problem, find_problems, open_checkpoint
from mistralet.cli.common import JsonOption, ModelArgument, print_json
from mistralet.config import count_parameters
from mistralet.errors import TokenizerError
from mistralet.hub import resolve
from mistralet.machine import format_bytes

_SHOWN_PROBLEMS = 20


def inspect(model: ModelArgument = None, as_json: JsonOption = False) -> None:
    """Show a model's configuration, tokenizer and tensors, and what is missing or unexpected."""
    checkpoint = open_checkpoint(resolve(model).path)
    problems = find_problems(checkpoint)
    tokenizer = _tokenizer_name(checkpoint)
    if as_json:
        print_json(_facts(checkpoint, tokenizer, problems))
    else:
        _show(checkpoint, tokenizer, problems)
    if problems:
        raise typer.Exit(1)


def _tokenizer_name(checkpoint: Checkpoint) -> str:
    from mistralet.engine.load import load_tokenizer

    try:
        return load_tokenizer(checkpoint).name
    except TokenizerError as error:
        return f"none ({error})"


def _facts(checkpoint: Checkpoint, tokenizer: str, problems: list[Problem]) -> dict[str, Any]:
    return {
        "path": checkpoint.path,
        "format": checkpoint.format,
        "config": asdict(checkpoint.config),
        "tokenizer": tokenizer,
        "parameters": count_parameters(checkpoint.config),
        "bytes": checkpoint.nbytes,
        "tensors": [asdict(tensor) for tensor in checkpoint.tensors.values()],
        "problems": [asdict(problem) for problem in problems],
    }


def _show(checkpoint: Checkpoint, tokenizer: str, problems: list[Problem]) -> None:
    console = Console(highlight=False)
    parameters = count_parameters(checkpoint.config)["total"]
    console.print(f"[bold]{checkpoint.path}[/bold]", soft_wrap=True)
    console.print(f"{checkpoint.format} · {parameters:,} parameters · {format_bytes(checkpoint.nbytes)}")
    console.print(f"tokenizer: {tokenizer}\n", soft_wrap=True)
    _show_config("text", {k: v for k, v in asdict(checkpoint.config).items() if k != "vision"}, console)
    if checkpoint.config.vision is not None:
        _show_config("vision", asdict(checkpoint.config.vision), console)
    console.print(_tensor_table(checkpoint))
    if not problems:
        console.print("Nothing is missing or unexpected.", style="green")
    for problem in problems[:_SHOWN_PROBLEMS]:
        console.print(f"{problem.kind}: {problem.tensor} {problem.detail}", style="red", soft_wrap=True)
    if len(problems) > _SHOWN_PROBLEMS:
        console.print(f"... and {len(problems) - _SHOWN_PROBLEMS} more (see --json)", style="red")


def _show_config(title: str, values: dict[str, Any], console: Console) -> None:
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 2))
    for key, value in values.items():
        table.add_row(key, f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))
    console.print(table)
    console.print()


def _tensor_table(checkpoint: Checkpoint) -> Table:
    """Tensors alike but for their layer in one row."""
    groups: Counter[tuple[str, tuple[int, ...], str]] = Counter()
    sizes: Counter[tuple[str, tuple[int, ...], str]] = Counter()
    for tensor in checkpoint.tensors.values():
        key = (re.sub(r"layers\.\d+", "layers.*", tensor.name), tensor.shape, tensor.dtype)
        groups[key] += 1
        sizes[key] += tensor.nbytes
    table = Table(title=f"{len(checkpoint.tensors)} tensors", title_justify="left", box=None, padding=(0, 2, 0, 2))
    for heading in ("name", "shape", "type"):
        table.add_column(heading, overflow="fold")
    table.add_column("count", justify="right")
    table.add_column("size", justify="right")
    for (name, shape, dtype), count in groups.items():
        table.add_row(name, " x ".join(map(str, shape)), dtype, str(count), format_bytes(sizes[name, shape, dtype]))
    return table
