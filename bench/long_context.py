"""`python -m bench.long_context`: the 24B shape at the far end of its context, in memory that a desktop has.

The weights are random (bench/synthetic.py), and so is the cache: as many blocks as the context has are filled with
random keys and values, without running the model for them. Then tokens are decoded at the end. `--tiny` does the same
with the stand-in.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.command import model_folder, packed_cache, run_command
from bench.harness import peak_memory
from bench.limits import compile_limits, measure_limits
from bench.progress import Steps
from bench.synthetic import ensure_synthetic, slice_of
from bench.work import work_of
from mistralet.checkpoint import open_checkpoint
from mistralet.config import KVType
from mistralet.errors import UsageError
from mistralet.hub.tiny import tiny_path
from mistralet.machine import available_cpus, format_bytes, parse_size

if TYPE_CHECKING:
    from mistralet.model import KVCache

_SAMPLE_BLOCKS = 64  # of random keys and values, repeated over the cache
_WARM_UP = 6  # tokens before the clock counts: the first ones still read weights from the disk


@dataclass(frozen=True)
class Measured:
    """What one run gave."""

    cache_bytes: int
    peak_memory: int  # bytes in RAM at once, mapped weights included
    fill_seconds: float
    token_seconds: float  # median
    token_bytes: int  # read for one token


def measure(path: Path, kv_type: KVType, context: int, tokens: int, steps: Steps) -> Measured:
    """Decode `tokens` tokens that end at `context`."""
    import torch

    from mistralet.engine import load
    from mistralet.model import ForwardBatch, KVCache
    from mistralet.ops import blocks_for

    with steps.step("Loading"):
        loaded = load(path)
    config = loaded.checkpoint.config
    with steps.step(f"Filling a cache of {context:,} tokens in {kv_type}"):
        started = time.perf_counter()
        cache = KVCache(config, kv_type, torch.device("cpu"), blocks_for(context))
        _fill(cache)
        fill_seconds = time.perf_counter() - started
    seconds, token = [], 1000
    with steps.step("Decoding"), torch.inference_mode():
        for position in range(context - tokens - _WARM_UP, context):
            started = time.perf_counter()
            batch = ForwardBatch.alone([token], position)
            scores = loaded.model.logits(loaded.model(batch, cache))[0]
            token = int(scores.argmax())
            seconds.append(time.perf_counter() - started)
            if not scores.isfinite().all():
                raise UsageError(f"{path}: its scores are not finite; remove the file, and it is written anew.")
    work = work_of(loaded.checkpoint.tensors.values(), config, kv_type)
    return Measured(cache.nbytes, peak_memory(), fill_seconds, median(seconds[_WARM_UP:]), work.decode_bytes(context))


def _fill(cache: KVCache) -> None:
    """Random keys and values everywhere, each layer with its own."""
    import torch

    from mistralet.ops import BLOCK_SIZE, LayerCache, PagedBatch, Span, rotate_and_store

    config = cache.config
    blocks = min(_SAMPLE_BLOCKS, cache.blocks)
    tokens = blocks * BLOCK_SIZE
    batch = PagedBatch([Span(tokens, tokens, torch.arange(blocks, dtype=torch.int32))])
    unturned = torch.ones(tokens, config.head_dim // 2, dtype=torch.complex64)
    shape = (tokens, config.num_key_value_heads, config.head_dim)
    for index, layer in enumerate(cache.layers):
        generator = torch.Generator().manual_seed(index)
        keys, values = (torch.randn(shape, generator=generator) for _ in range(2))
        sample = LayerCache.empty(blocks, config.num_key_value_heads, config.head_dim, cache.kv_type)
        rotate_and_store(torch.zeros(shape), keys, values, unturned, sample, batch)
        for target, source in zip(layer.tensors, sample.tensors, strict=True):
            for part in target.split(blocks):
                part.copy_(source[: len(part)])


def long_context(
    layers: Annotated[int | None, typer.Option(help="Layers of the 24B shape.", show_default="all")] = None,
    tiny: Annotated[bool, typer.Option("--tiny", help="The stand-in instead of the 24B shape.")] = False,
    kv_type: Annotated[KVType, typer.Option("--kv-type", help="How keys and values are stored.")] = KVType.INT4,
    context: Annotated[int | None, typer.Option(help="Tokens of context.", show_default="the model's")] = None,
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to decode at its end.")] = 8,
    memory: Annotated[str, typer.Option(help="What peak memory is compared with.")] = "24GB",
    keep: Annotated[
        Path | None, typer.Option(help="Folder for the 24B file (14 GB).", show_default="in the user's cache")
    ] = None,
) -> None:
    """Fill the cache to the end of the context, decode there, and say what it took."""
    allowed = parse_size(memory)
    folder = model_folder(keep)
    os.environ["XDG_CACHE_HOME"] = str(packed_cache(folder))  # for the packed weights
    with Steps() as steps, tempfile.TemporaryDirectory() as scratch:
        if tiny:
            path = tiny_path()
        else:
            with steps.step("Writing random weights in the shape of the 24B model") as progress:
                path = ensure_synthetic(folder, slice_of(layers), progress)
        longest = open_checkpoint(path).config.max_position_embeddings
        context = context or longest
        if not tokens + _WARM_UP < context <= longest:
            raise UsageError(f"--context is {context}, but must be from {tokens + _WARM_UP + 1} to {longest}.")
        with steps.step("Packing the weights, if that is still to be done"):
            # In another process: what it touches must not count here.
            code = "import sys, pathlib; from mistralet.engine import load; load(pathlib.Path(sys.argv[1]))"
            subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        measured = measure(path, kv_type, context, tokens, steps)
        with steps.step("The machine's limits"):
            limit = measure_limits(compile_limits(Path(scratch)), available_cpus()).read_best
    Console(highlight=False).print(table(path.name, kv_type, context, measured, limit, allowed))
    if measured.peak_memory > allowed:
        raise typer.Exit(1)


def table(name: str, kv_type: KVType, context: int, measured: Measured, limit: float, allowed: int) -> Table:
    """The figures; `limit` is what the machine reads from memory, in GB/s."""
    rate = measured.token_bytes / measured.token_seconds / 1e9
    share = f"{measured.peak_memory / allowed:.0%} of {format_bytes(allowed)}"
    shown = Table(title=f"{name}: {context:,} tokens in {kv_type}", box=None, show_header=False, padding=(0, 2, 0, 0))
    shown.add_column()
    shown.add_column(justify="right")
    shown.add_row("cache", format_bytes(measured.cache_bytes))
    shown.add_row("peak memory", f"{format_bytes(measured.peak_memory)} ({share})")
    shown.add_row("filling the cache", f"{measured.fill_seconds:.1f} s")
    shown.add_row("decoding at the end", f"{1 / measured.token_seconds:.2f} tokens/s")
    shown.add_row("read for a token", format_bytes(measured.token_bytes))
    shown.add_row("read in a second", f"{rate:.1f} GB ({rate / limit:.0%} of the {limit:.1f} GB the machine can)")
    return shown


def main() -> None:
    """Run the command."""
    run_command(long_context, "long_context")


if __name__ == "__main__":
    main()
