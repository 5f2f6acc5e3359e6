"""`python -m bench.gpu`: the 24B shape with random weights on one GPU, beside what its memory and units allow."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median
from typing import Annotated

import torch
import typer
from rich.console import Console
from torch import Tensor

from bench.bars import Chapter, Figure
from bench.command import run_command
from bench.report import Row
from bench.synthetic import WHOLE, slice_of
from mistralet.config import KVType, ModelConfig
from mistralet.errors import UsageError
from mistralet.model import ForwardBatch, KVCache, MistralSmall
from mistralet.model.layers import Linear, Weight
from mistralet.ops import PagedBatch, Span, blocks_for
from mistralet.quant import Encoding, ScaledTensor

_FORMATS = ("bf16", "fp8", "int4")
_INT4_GROUP = 64  # as `quant.rounding` has it
_CHUNK = 2048  # tokens of a prompt in one step
# The bars of issue 8, for one H200-class GPU; tokens a second.
_DECODE_BARS = {"bf16": 78.0, "fp8": 150.0, "int4": 240.0}
_BATCH_BAR = 5000.0  # FP8, 64 at once
_PREFILL_BAR = 55.0  # % of the matrix rate, 8k, bf16


def main(
    device: Annotated[str, typer.Option(help="cuda, or cpu to try this program.")] = "cuda",
    layers: Annotated[int | None, typer.Option(help="Layers of the 40; none: all.")] = None,
    contexts: Annotated[
        str, typer.Option(help="Tokens before the one that is timed, one answer at once.")
    ] = "1024,32768",
    batches: Annotated[str, typer.Option(help="Answers at once, with 1024 tokens each.")] = "1,8,64,256",
    prompts: Annotated[str, typer.Option(help="Lengths of prompts.")] = "1024,8192",
    steps: Annotated[int, typer.Option(help="Steps of each figure.")] = 20,
) -> None:
    """Measure the model on a GPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("There is no GPU that PyTorch can use here; --device cpu --layers 1 tries the program itself.")
    # Read before anything is made: the whole model takes 47 GB.
    context_lengths, batch_sizes, prompt_lengths = _numbers(contexts), _numbers(batches), _numbers(prompts)
    console = Console(width=160, highlight=False)
    place = torch.device(device)
    bandwidth, rate = copy_bandwidth(place), matrix_rate(place)
    console.print(f"Copying {bandwidth / 1e9:,.0f} GB/s, bfloat16 matrices {rate / 1e12:,.1f} TFLOP/s, measured here.")
    config = slice_of(layers)
    for name in _FORMATS:
        model = random_model(config, name, place)
        figures = [
            *decode_figures(model, name, context_lengths, [1], bandwidth, steps),
            *decode_figures(model, name, [1024], batch_sizes, bandwidth, steps),
            *prefill_figures(model, name, prompt_lengths, rate),
        ]
        Chapter(f"{config.num_hidden_layers} layers in {name}", figures, notes=[_NOTE]).show(console)
        del model
        if place.type == "cuda":
            torch.cuda.empty_cache()


_NOTE = (
    "Against: the measured bandwidth over the bytes of weights and cache that a step reads, or the measured matrix "
    "rate. A step is the model, the vocabulary's scores and the choice of the likeliest token, without the engine. "
    "Bars are of all 40 layers on a GPU of 4.3 TB/s and 790 TFLOP/s."
)


def copy_bandwidth(device: torch.device, nbytes: int = 1 << 30) -> float:
    """Bytes read and written in a second by a copy within the device; reading alone can be as fast."""
    source = torch.ones(nbytes // 4 if device.type == "cuda" else nbytes // 64, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _seconds(lambda: target.copy_(source), device, 10)


def matrix_rate(device: torch.device) -> float:
    """Operations in a second of a bfloat16 product of square matrices; a multiplication and an addition are two."""
    size = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / _seconds(lambda: a @ b, device, 10)


def random_model(config: ModelConfig, name: str, device: torch.device) -> MistralSmall:
    """The text decoder with random weights, made on the device: layers in a format, the rest in bfloat16."""
    model = MistralSmall(replace(config, vision=None))
    model.dtype = torch.bfloat16
    for path, module in model.named_modules():
        if isinstance(module, Weight):
            rows, *columns = module.weight.shape
            is_quantised = isinstance(module, Linear) and path.startswith("layers.") and name != "bf16"
            if is_quantised:
                module.set_weight(random_scaled(name, rows, columns[0], device))
            else:
                module.set_weight(torch.randn(rows, *columns, device=device, dtype=torch.bfloat16) * 0.02)
    return model


def random_scaled(name: str, rows: int, columns: int, device: torch.device) -> ScaledTensor:
    """A matrix of random codes, with scales that keep its weights small."""
    if name == "fp8":
        codes = torch.randn(rows, columns, device=device, dtype=torch.bfloat16).to(torch.float8_e4m3fn)
        return ScaledTensor(Encoding.FP8, codes, torch.full((rows, 1), 0.02, device=device))
    packed = torch.randint(0, 256, (rows, columns // 2), device=device, dtype=torch.uint8)
    shape = (rows, columns // _INT4_GROUP)
    scales = torch.full(shape, 0.005, device=device, dtype=torch.float16)
    return ScaledTensor(Encoding.INT4, packed, scales, torch.zeros(shape, device=device, dtype=torch.float16))


def decode_figures(
    model: MistralSmall, name: str, contexts: list[int], batches: list[int], bandwidth: float, steps: int
) -> Iterator[Figure]:
    """Tokens a second after some context, of so many answers at once."""
    device = model.norm.weight.device
    weights = sum(module.weight.nbytes for module in model.modules() if isinstance(module, Linear))
    for context in contexts:
        for batch in batches:
            step = decode_step(model, context, batch)
            seconds = _seconds(step, device, steps)
            read = weights + batch * context * model.config.kv_bytes_per_token(KVType.BFLOAT16)
            limit = batch * bandwidth / read
            bar = _DECODE_BARS[name] if (batch, context) == (1, 1024) else None
            bar = _BATCH_BAR if (name, batch, context) == ("fp8", 64, 1024) else bar
            bar = None if model.config.num_hidden_layers < WHOLE.num_hidden_layers else bar
            row = Row(f"{batch} at once after {context:,}", "tokens/s", [batch / seconds], [limit])
            yield Figure(row, "the limit", None if bar is None else bar / limit)


def decode_step(model: MistralSmall, context: int, batch: int) -> Callable[[], Tensor]:
    """One token of each of `batch` sequences with `context` tokens, and the likeliest that follows."""
    blocks = blocks_for(context)
    device = model.norm.weight.device
    cache = KVCache(model.part, KVType.BFLOAT16, device, batch * blocks)
    for layer in cache.layers:
        for tensor in layer.tensors:
            tensor.normal_()
    spans = [
        Span(1, context, torch.arange(row * blocks, (row + 1) * blocks, dtype=torch.int32)) for row in range(batch)
    ]
    ids = torch.randint(0, model.config.vocab_size, (batch,))

    def step() -> Tensor:
        # A new batch for each step, as the engine makes one: what it works out of it is part of the step.
        hidden = model(ForwardBatch(ids, PagedBatch(spans)), cache)
        return model.logits(hidden).argmax(-1)

    return step


def prefill_figures(model: MistralSmall, name: str, lengths: list[int], rate: float) -> Iterator[Figure]:
    """The share of the matrix rate that reading a prompt reaches."""
    device = model.norm.weight.device
    config = model.config
    parameters = sum(math.prod(module.weight.shape) for module in model.layers.modules() if isinstance(module, Linear))
    for length in lengths:
        cache = KVCache(model.part, KVType.BFLOAT16, device, blocks_for(length))
        ids = torch.randint(0, config.vocab_size, (length,)).tolist()

        def read(length: int = length, cache: KVCache = cache, ids: list[int] = ids) -> None:
            for start in range(0, length, _CHUNK):
                model(ForwardBatch.alone(ids[start : start + _CHUNK], start), cache)

        seconds = _seconds(read, device, 3)
        attention = 2 * config.num_hidden_layers * config.num_attention_heads * config.head_dim * length**2
        share = 100 * (2 * parameters * length + attention) / seconds / rate
        is_whole = config.num_hidden_layers == WHOLE.num_hidden_layers
        bar = _PREFILL_BAR if is_whole and (name, length) == ("bf16", 8192) else None
        row = Row(f"prompt of {length:,} ({length / seconds:,.0f} tokens/s)", "% of the matrix rate", [share], [100.0])
        yield Figure(row, "the limit", None if bar is None else bar / 100)


@torch.inference_mode()
def _seconds(work: Callable[[], object], device: torch.device, times: int) -> float:
    """The median time of some work, after once that is not counted."""

    def wait() -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    work()
    samples = []
    for _ in range(times):
        wait()
        begun = time.perf_counter()
        work()
        wait()
        samples.append(time.perf_counter() - begun)
    return median(samples)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(f"{text!r} is no list of whole numbers, such as 1024,8192.") from error
    if any(number < 1 for number in numbers):
        raise UsageError(f"{text!r} has a number below 1.")
    return numbers


if __name__ == "__main__":
    run_command(main, "gpu")
