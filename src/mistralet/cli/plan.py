"""`mistralet plan`: what a model needs of a machine, before anything is loaded."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mistralet.checkpoint import open_checkpoint
from mistralet.checkpoint.plan import CONTEXTS, HEADROOM, Plan, plan_checkpoint, plan_release
from mistralet.cli.common import JsonOption, ModelArgument, print_json
from mistralet.config import count_parameters
from mistralet.errors import UsageError
from mistralet.hub import RELEASES, find_local, resolve
from mistralet.machine import Memory, format_bytes, gpus, parse_size, ram


def plan(
    model: ModelArgument = None,
    context: Annotated[int | None, typer.Option(help="Tokens of context to plan for.")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Plan for this much memory, such as 24GB, instead of this machine's.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Work out what a model needs: weights, KV cache per context length, and what fits in RAM and GPUs."""
    name, is_here, planned = _plan(model)
    longest = planned.config.max_position_embeddings
    if context is not None and not 0 < context <= longest:
        raise UsageError(f"The context is {context}, but {name} reads 1 to {longest} tokens.")
    contexts = [context] if context else sorted({*(c for c in CONTEXTS if c < longest), longest})
    memories = [Memory("memory", parse_size(memory))] if memory else [ram(), *gpus()]
    if as_json:
        print_json(_facts(name, is_here, planned, contexts, memories))
    else:
        _show(name, is_here, planned, contexts, memories)


def _plan(model: str | None) -> tuple[str, bool, Plan]:
    """The model's name, whether it is on this machine, and its plan."""
    local = find_local(model) if model is not None else resolve(None)
    if local is not None:
        return local.name, True, plan_checkpoint(open_checkpoint(local.path))
    alias, _, variant = (model or "").partition(":")
    if alias in RELEASES and variant in ("", "q4"):
        return model or "", False, plan_release(RELEASES[alias].config, "Q4_K_M" if variant else "BF16")
    # Not here, and of unknown size: say so in the words of the hub, which knows what to do about it.
    raise UsageError(
        f"'{model}' is not on this machine; run 'mistralet pull {model}' first, or plan one of "
        f"{', '.join(RELEASES)} (with or without :q4)."
    )


def _facts(name: str, is_here: bool, planned: Plan, contexts: list[int], memories: list[Memory]) -> dict[str, Any]:
    return {
        "model": name,
        "downloaded": is_here,
        "parameters": count_parameters(planned.config),
        "weight_bytes": {**planned.weights, "total": planned.weight_bytes},
        "kv_bytes_per_token": planned.kv_bytes_per_token,
        "headroom_bytes": HEADROOM,
        "contexts": [
            {"tokens": tokens, "kv_bytes": planned.kv_bytes(tokens), "total_bytes": planned.needed(tokens)}
            for tokens in contexts
        ],
        "memories": [
            {
                "name": memory.name,
                "bytes": memory.nbytes,
                "largest_context": planned.largest_context(memory),
                "fits": {str(tokens): planned.needed(tokens) <= memory.nbytes for tokens in contexts},
            }
            for memory in memories
        ],
    }


def _show(name: str, is_here: bool, planned: Plan, contexts: list[int], memories: list[Memory]) -> None:
    console = Console(highlight=False)
    source = "as it lies on this machine" if is_here else "not downloaded; worked out from the release's shape"
    console.print(f"[bold]{name}[/bold] · {count_parameters(planned.config)['total']:,} parameters · {source}\n")
    weights = Table(box=None, show_header=False, padding=(0, 2))
    weights.add_column()
    weights.add_column(justify="right")
    weights.add_column(justify="right", style="dim")
    for part, nbytes in [*planned.weights.items(), ("weights in all", planned.weight_bytes)]:
        weights.add_row(part, format_bytes(nbytes), f"{nbytes:,} bytes")
    kv_bytes = planned.kv_bytes_per_token
    weights.add_row("KV cache per token", format_bytes(kv_bytes), f"{kv_bytes:,} bytes")
    console.print(weights)
    console.print()
    table = Table(box=None, padding=(0, 2))
    for heading in (
        "context",
        "KV cache",
        "needed",
        *(f"{memory.name} ({format_bytes(memory.nbytes)})" for memory in memories),
    ):
        table.add_column(heading, justify="right")
    for tokens in contexts:
        needed = planned.needed(tokens)
        verdicts = ("[green]fits[/green]" if needed <= memory.nbytes else "[red]too large[/red]" for memory in memories)
        table.add_row(f"{tokens:,}", format_bytes(planned.kv_bytes(tokens)), format_bytes(needed), *verdicts)
    longest = (f"{planned.largest_context(memory):,} tokens" for memory in memories)
    table.add_row("largest", "", "", *longest, style="bold")
    console.print(table)
    console.print(f"\nNeeded: weights, KV cache and {format_bytes(HEADROOM)} kept free for the program.", style="dim")
