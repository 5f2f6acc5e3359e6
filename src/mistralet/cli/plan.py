"""`mistralet plan`: what a model needs of a machine, before anything is loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from mistralet.checkpoint import open_checkpoint
from mistralet.checkpoint.plan import CONTEXTS, HEADROOM, Plan, plan_checkpoint, plan_release
from mistralet.cli.common import JsonOption, KVTypeOption, ModelArgument, print_json
from mistralet.config import KVType, count_parameters
from mistralet.errors import UsageError
from mistralet.hub import RELEASES, find_local, resolve
from mistralet.machine import Memory, format_bytes, gpus, parse_size, ram

# Types of cache that take less memory, at some loss. One in fp8 takes what int8 does, and loses more.
_SMALLER = (KVType.INT8, KVType.INT4)


def plan(
    model: ModelArgument = None,
    context: Annotated[int | None, typer.Option(help="Tokens of context to plan for.")] = None,
    memory: Annotated[
        str | None, typer.Option(help="Plan for this much memory, such as 24GB, instead of this machine's.")
    ] = None,
    kv_type: KVTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Work out what a model needs: weights, KV cache per context length, and what fits in RAM and GPUs."""
    name, is_here, of_type = _plan(model)
    types = [kv_type] if kv_type else [KVType.FLOAT16, *(t for t in _SMALLER if t.fits(of_type.config.head_dim))]
    plans = [replace(of_type, kv_type=t) for t in types]
    planned = plans[0]
    longest = planned.config.max_position_embeddings
    if context is not None and not 0 < context <= longest:
        raise UsageError(f"The context is {context}, but {name} reads 1 to {longest} tokens.")
    contexts = [context] if context else sorted({*(c for c in CONTEXTS if c < longest), longest})
    memories = [Memory("memory", parse_size(memory))] if memory else [ram(), *gpus()]
    if as_json:
        print_json(_facts(name, is_here, plans, contexts, memories))
    else:
        _show(name, is_here, plans, contexts, memories)


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


def _facts(name: str, is_here: bool, plans: list[Plan], contexts: list[int], memories: list[Memory]) -> dict[str, Any]:
    planned = plans[0]
    return {
        "model": name,
        "downloaded": is_here,
        "parameters": count_parameters(planned.config),
        "weight_bytes": {**planned.weights, "total": planned.weight_bytes},
        "kv_type": planned.kv_type,
        "kv_bytes_per_token": planned.kv_bytes_per_token,
        "kv_bytes_per_token_by_type": {other.kv_type: other.kv_bytes_per_token for other in plans},
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
                "largest_context_by_type": {other.kv_type: other.largest_context(memory) for other in plans},
                "fits": {str(tokens): planned.needed(tokens) <= memory.nbytes for tokens in contexts},
            }
            for memory in memories
        ],
    }


def _show(name: str, is_here: bool, plans: list[Plan], contexts: list[int], memories: list[Memory]) -> None:
    planned = plans[0]
    console = Console(highlight=False)
    source = "as it lies on this machine" if is_here else "not downloaded; worked out from the release's shape"
    console.print(f"[bold]{name}[/bold] · {count_parameters(planned.config)['total']:,} parameters · {source}\n")
    weights = Table(box=None, show_header=False, padding=(0, 2))
    weights.add_column()
    weights.add_column(justify="right")
    weights.add_column(justify="right", style="dim")
    for part, nbytes in [*planned.weights.items(), ("weights in all", planned.weight_bytes)]:
        weights.add_row(part, format_bytes(nbytes), f"{nbytes:,} bytes")
    for other in plans:
        kv_bytes = other.kv_bytes_per_token
        weights.add_row(f"a token's KV in {other.kv_type}", format_bytes(kv_bytes), f"{kv_bytes:,} bytes")
    console.print(weights)
    console.print()
    table = Table(box=None, padding=(0, 2))
    for heading in (
        "context",
        *(f"KV {other.kv_type}" for other in plans),
        *(f"{memory.name} ({format_bytes(memory.nbytes)})" for memory in memories),
    ):
        table.add_column(heading, justify="right")
    for tokens in contexts:
        sizes = (format_bytes(other.kv_bytes(tokens)) for other in plans)
        table.add_row(f"{tokens:,}", *sizes, *(_verdict(plans, tokens, memory) for memory in memories))
    for other in plans:
        longest = (f"{other.largest_context(memory):,} in {other.kv_type}" for memory in memories)
        table.add_row("largest" if other is planned else "", *[""] * len(plans), *longest, style="bold")
    console.print(table)
    console.print(
        f"\nWhat fits: weights, KV cache and {format_bytes(HEADROOM)} kept free for the program. "
        "KV types other than float16 are chosen with --kv-type.",
        style="dim",
        soft_wrap=True,
    )


def _verdict(plans: list[Plan], tokens: int, memory: Memory) -> str:
    """Whether a context fits, and if only with a smaller type of cache, with which."""
    fitting = next((other for other in plans if other.needed(tokens) <= memory.nbytes), None)
    if fitting is None:
        return "[red]too large[/red]"
    return "[green]fits[/green]" if fitting is plans[0] else f"[yellow]with {fitting.kv_type}[/yellow]"
