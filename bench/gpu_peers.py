"""transformers on a device, beside mistralet: as it is, and compiled in the way of gpt-fast.

All have the same shape, random weights in bfloat16, and the device to themselves. A step is the model and the choice
of the likeliest token, without `generate` around it.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from typing import Any

import torch

from bench.gpu_card import Card, seconds
from bench.gpu_random import random_text, text_bytes
from bench.gpu_text import decode_limit, decode_step, prompt_operations, prompt_seconds
from bench.report import Row, Section
from mistralet.config import KVType, ModelConfig

_PROMPT_TIMES = 3
_SETTLING_STEPS = 4  # the first compiles, the second and third record what later ones play back
_MASK_ALIGNMENT = 8  # tokens: fused attention with a mask wants rows of whole 16 bytes

Speeds = dict[str, list[float]]  # tokens a second, by row; nothing of what was not measured
Notes = list[str]


def peer_sections(config: ModelConfig, context: int, prompt: int, card: Card, steps: int) -> Iterator[Section]:
    """Answering after `context` tokens and reading a prompt of `prompt`: mistralet's figures, then each peer's."""
    nbytes = text_bytes(config, "bf16") + (prompt + context) * config.kv_bytes_per_token(KVType.BFLOAT16)
    measured = card.if_it_fits("mistralet", nbytes, partial(_ours, config, context, prompt, card, steps))
    if isinstance(measured, str):
        yield Section("Peers in bfloat16", [], "transformers", [measured])
        return
    ours, limits = measured
    title = f"{config.num_hidden_layers} layers in bf16"
    if importlib.util.find_spec("transformers") is None:
        note = "transformers is not installed here and not compared with; pip install transformers."
        yield Section(title, _rows(ours, {}, limits), "transformers", [note])
        return
    name = f"transformers {version('transformers')}"
    for peer, speeds in ((name, _plain), (f"{name}, compiled", _compiled)):
        theirs, notes = _measured(peer, nbytes, partial(speeds, config, context, prompt, card, steps), card)
        yield Section(f"{title} beside {peer}", _rows(ours, theirs, limits), peer, [*notes, _NOTE])


_NOTE = (
    "The machine's limit is the bandwidth over the bytes of weights and cache, or the matrix rate over the prompt's "
    "operations. transformers attends with sdpa. As it is, its cache grows with each step; compiled, the step is "
    'torch.compile(mode="reduce-overhead", fullgraph=True) over a cache of fixed size, and prompts are read as before.'
)


def _rows(ours: Speeds, theirs: Speeds, limits: dict[str, float]) -> list[Row]:
    return [Row(name, "tokens/s", ours[name], theirs.get(name, ()), limits[name]) for name in ours]


def _measured(what: str, nbytes: int, measure: Callable[[], tuple[Speeds, Notes]], card: Card) -> tuple[Speeds, Notes]:
    """A peer's figures and what is to be said of them; where there are none, why."""
    try:
        measured = card.if_it_fits(what, nbytes, measure)
    # A peer of any version may fail in its own way, which is no reason to lose what was measured.
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "without a word")
        measured = f"{what}: left out; it failed with {type(error).__name__} ({reason})."
    return ({}, [measured]) if isinstance(measured, str) else measured


def _ours(config: ModelConfig, context: int, prompt: int, card: Card, steps: int) -> tuple[Speeds, dict[str, float]]:
    """mistralet's figures, and the machine's limits."""
    model = random_text(config, "bf16", card.device)
    answering, reading = _names(context, prompt)
    speeds = {
        answering: [1 / each for each in seconds(decode_step(model, context, 1), card.device, steps)],
        reading: [prompt / each for each in prompt_seconds(model, prompt, card)],
    }
    limits = {
        answering: decode_limit(model, context, 1, card),
        reading: prompt * card.rate / prompt_operations(model, prompt),
    }
    return speeds, limits


def _names(context: int, prompt: int) -> tuple[str, str]:
    return f"answering after {context:,}", f"reading a prompt of {prompt:,}"


@torch.no_grad()
def _plain(config: ModelConfig, context: int, prompt: int, card: Card, steps: int) -> tuple[Speeds, Notes]:
    """transformers with the cache that it takes by itself."""
    from transformers import DynamicCache

    model = random_peer(config, card.device)
    forward = _Forward(model).likeliest
    ids = torch.randint(0, config.vocab_size, (1, prompt), device=card.device)
    read = seconds(lambda: forward(ids, DynamicCache(config=model.config)), card.device, _PROMPT_TIMES)
    cache = DynamicCache(config=model.config)
    forward(ids.new_ones(1, max(1, context - 1)), cache)
    token = ids[:, :1]
    step = seconds(lambda: forward(token, cache), card.device, steps)
    answering, reading = _names(context, prompt)
    return {answering: [1 / each for each in step], reading: [prompt / each for each in read]}, []


@torch.no_grad()
def _compiled(config: ModelConfig, context: int, _prompt: int, card: Card, steps: int) -> tuple[Speeds, Notes]:
    """A step of transformers as one compiled graph over a cache that never moves, as gpt-fast has it.

    The prompt before it is read without the compiler, so there is no figure of prompts.
    """
    from torch._dynamo.utils import counters
    from transformers import StaticCache

    model = random_peer(config, card.device)
    forward = _Forward(model).likeliest
    room = context + _SETTLING_STEPS + steps
    cache = StaticCache(config=model.config, max_cache_len=-(-room // _MASK_ALIGNMENT) * _MASK_ALIGNMENT)
    token = torch.ones(1, 1, dtype=torch.int64, device=card.device)
    forward(token.expand(1, max(1, context - 1)), cache)
    compiled = torch.compile(forward, mode="reduce-overhead", fullgraph=True)

    def settle() -> None:
        for _ in range(_SETTLING_STEPS):
            compiled(token, cache)

    counters.clear()
    try:
        step = seconds(lambda: compiled(token, cache), card.device, steps, warm_up=settle)
        skipped = counters["inductor"]["cudagraph_skips"]
    finally:
        torch.compiler.reset()  # it holds the model
    note = f"PyTorch refused to record CUDA graphs ({skipped} times), so this is slower than it can be."
    return {_names(context, 0)[0]: [1 / each for each in step]}, [note] if skipped else []


class _Forward:
    """A step of a model, whatever its release calls a cache."""

    def __init__(self, model: Any) -> None:
        self._model = model
        names = inspect.signature(model.forward).parameters
        self._cache_name = "cache" if "cache" in names else "past_key_values"

    def likeliest(self, ids: torch.Tensor, cache: Any) -> torch.Tensor:
        """The token that follows the last one, `[1]`; keys and values join the cache."""
        facts = {self._cache_name: cache, "use_cache": True, "logits_to_keep": 1}
        likeliest: torch.Tensor = self._model(ids, **facts).logits[:, -1].argmax(-1)
        return likeliest


def random_peer(config: ModelConfig, device: torch.device) -> Any:
    """The text decoder as transformers has it, with random weights in bfloat16."""
    from transformers import AutoModelForCausalLM, MistralConfig

    shape = MistralConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        hidden_act="silu",
        max_position_embeddings=config.max_position_embeddings,
        rms_norm_eps=config.rms_norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        sliding_window=None,
        tie_word_embeddings=config.tie_word_embeddings,
    )
    auto: Any = AutoModelForCausalLM  # whose methods have no types
    with device:
        model = auto.from_config(shape, dtype=torch.bfloat16, attn_implementation="sdpa")
    return model.eval()
