"""The text decoder on a device: answering after some context, alone and many at once, and reading a prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from math import prod
from statistics import median

import torch
from torch import Tensor

from bench.bars import Figure
from bench.gpu_card import Card, seconds
from bench.report import Row
from bench.synthetic import WHOLE
from mistralet.config import KVType, ModelConfig
from mistralet.engine.model_runner import ModelRunner
from mistralet.model import ForwardBatch, KVCache, MistralSmall
from mistralet.model.layers import Linear
from mistralet.ops import BLOCK_SIZE, PagedBatch, Span, blocks_for

_CHUNK = 2048  # tokens of a prompt in one step
_PROMPT_TIMES = 3
_LONG_PROMPT = 32768  # tokens; from here on a prompt is read once, for that takes long enough to be sure of
_PATIENCE = 50.0  # seconds that reading a prompt may take
# The bars of issue 8, for one H200-class GPU; tokens a second.
_DECODE_BARS = {"bf16": 78.0, "fp8": 150.0, "int4": 240.0}
_BATCH_BAR = 5000.0  # FP8, 64 at once
_PREFILL_BAR = 55.0  # % of the matrix rate, 8k, bf16


def decode_figures(
    model: MistralSmall, name: str, cases: Iterable[tuple[int, int]], card: Card, steps: int
) -> Iterator[Figure | str]:
    """Tokens a second of answers; a sentence in place of what there is no room for.

    Args:
        name: of the format.
        cases: how many answers at once, and after how many tokens each.
    """
    for batch, context in cases:
        what = f"{batch} at once after {context:,}"
        nbytes = _cache_bytes(model.config, batch, context)
        yield card.if_it_fits(
            f"{what}, {name}", nbytes, partial(_decode_figure, what, model, name, batch, context, card, steps)
        )


def _decode_figure(
    what: str, model: MistralSmall, name: str, batch: int, context: int, card: Card, steps: int
) -> Figure:
    samples = [batch / each for each in seconds(decode_step(model, context, batch), card.device, steps)]
    limit = decode_limit(model, context, batch, card)
    bar = _decode_bar(model.config, name, batch, context)
    return Figure(Row(what, "tokens/s", samples, [limit]), "the limit", None if bar is None else bar / limit)


def _decode_bar(config: ModelConfig, name: str, batch: int, context: int) -> float | None:
    if config.num_hidden_layers < WHOLE.num_hidden_layers or context != 1024:
        return None
    if (name, batch) == ("fp8", 64):
        return _BATCH_BAR
    return _DECODE_BARS[name] if batch == 1 else None


def decode_limit(model: MistralSmall, context: int, batch: int, card: Card) -> float:
    """Tokens a second if a step took no longer than reading weights and cache once."""
    weights = sum(module.weight.nbytes for module in model.modules() if isinstance(module, Linear))
    read = weights + batch * context * model.config.kv_bytes_per_token(KVType.BFLOAT16)
    return batch * card.bandwidth / read


def decode_step(model: MistralSmall, context: int, batch: int) -> Callable[[], Tensor]:
    """One token of each of `batch` sequences with `context` tokens, and the likeliest that follows."""
    blocks = blocks_for(context)
    cache = KVCache(model.part, KVType.BFLOAT16, model.norm.weight.device, batch * blocks)
    for layer in cache.layers:
        for tensor in layer.tensors:
            tensor.normal_()
    spans = [
        Span(1, context, torch.arange(row * blocks, (row + 1) * blocks, dtype=torch.int32)) for row in range(batch)
    ]
    ids = torch.randint(0, model.config.vocab_size, (batch,))
    runner = ModelRunner(model, cache)

    @torch.inference_mode()
    def step() -> Tensor:
        # A new batch for each step, as the engine makes one: what it works out of it is part of the step.
        hidden = runner(ForwardBatch(ids, PagedBatch(spans)))
        return model.logits(hidden).argmax(-1)

    return step


def prefill_figures(model: MistralSmall, name: str, lengths: Iterable[int], card: Card) -> Iterator[Figure | str]:
    """The share of the matrix rate that reading a prompt reaches; a sentence in place of what is too much."""
    share = None  # of the matrix rate, that the prompt before has reached
    for length in lengths:
        what = f"prompt of {length:,}"
        expected = prompt_operations(model, length) / card.rate / share if share else 0.0
        if expected > _PATIENCE:
            yield f"{what}, {name}: left out; at the speed of the prompt before it would take {expected:,.0f} seconds."
            continue
        nbytes = _cache_bytes(model.config, 1, length)
        figure = card.if_it_fits(f"{what}, {name}", nbytes, partial(_prefill_figure, what, model, name, length, card))
        if isinstance(figure, Figure):
            share = median(figure.row.ours) / 100
        yield figure


def _prefill_figure(what: str, model: MistralSmall, name: str, length: int, card: Card) -> Figure:
    samples = prompt_seconds(model, length, card)
    operations = prompt_operations(model, length)
    is_whole = model.config.num_hidden_layers == WHOLE.num_hidden_layers
    return Figure(
        Row(
            f"{what} ({length / median(samples):,.0f} tokens/s)",
            "% of the matrix rate",
            [100 * operations / each / card.rate for each in samples],
            [100.0],
        ),
        "the limit",
        _PREFILL_BAR / 100 if is_whole and (name, length) == ("bf16", 8192) else None,
    )


def prompt_seconds(model: MistralSmall, length: int, card: Card) -> list[float]:
    """How long a prompt takes to read, as often as its length lets us wait."""
    cache = KVCache(model.part, KVType.BFLOAT16, card.device, blocks_for(length))
    ids = torch.randint(0, model.config.vocab_size, (length,)).tolist()
    starts = range(0, length, _CHUNK)

    @torch.inference_mode()
    def read(starts: Sequence[int] = starts) -> None:
        for start in starts:
            model(ForwardBatch.alone(ids[start : start + _CHUNK], start), cache)

    if length < _LONG_PROMPT:
        return seconds(read, card.device, _PROMPT_TIMES)
    return seconds(read, card.device, 1, warm_up=lambda: read([starts[0], starts[-1]]))


def prompt_operations(model: MistralSmall, length: int) -> int:
    """Multiplications and additions of a prompt in the layers' matrices and in attention, where half is not seen."""
    config = model.config
    parameters = sum(prod(module.weight.shape) for module in model.layers.modules() if isinstance(module, Linear))
    attention = 2 * config.num_hidden_layers * config.num_attention_heads * config.head_dim * length**2
    return 2 * parameters * length + attention


def _cache_bytes(config: ModelConfig, batch: int, context: int) -> int:
    return batch * blocks_for(context) * BLOCK_SIZE * config.kv_bytes_per_token(KVType.BFLOAT16)
