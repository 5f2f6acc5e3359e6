"""Steps in tensors that stay where they are compute what others do. What records them needs a GPU, and is left out."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mistralet.config import KVType
from mistralet.engine.load import lay_together, load_weights
from mistralet.engine.model_runner import ModelRunner, RecordedStep
from mistralet.model import ForwardBatch, KVCache, MistralSmall
from mistralet.ops import PagedBatch, Span, blocks_for
from support.random_models import TEXT, checkpoint_of, random_weights

triton = pytest.importorskip("mistralet.ops.triton")
CPU = torch.device("cpu")
CONFIG = replace(TEXT, num_hidden_layers=1, vocab_size=64)  # the interpreter is slow
BLOCKS = 6


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> MistralSmall:
    model = load_weights(checkpoint_of(CONFIG, random_weights(CONFIG)), CPU, use_native=False)
    monkeypatch.setattr("mistralet.native.kernels", None)
    for name in ("linear", "attention", "norm", "activation", "blocks"):
        module = importlib.import_module(f"mistralet.ops.{name}")
        if hasattr(module, "kernels"):
            monkeypatch.setattr(module, "kernels", None)
        if hasattr(module, "gpu_kernels"):
            monkeypatch.setattr(module, "gpu_kernels", lambda _x: triton)
    monkeypatch.setattr("mistralet.engine.model_runner.gpu_kernels", lambda _x: triton)
    monkeypatch.setattr(RecordedStep, "record", lambda _self, pool: pool)
    lay_together(model)
    return model


def new_cache(model: MistralSmall) -> KVCache:
    cache = KVCache(model.config, KVType.FLOAT32, CPU, BLOCKS)
    for layer in cache.layers:
        for tensor in layer.tensors:
            tensor.zero_()
    return cache


def spans(*contexts: int) -> list[Span]:
    """One token of each of some sequences, in blocks that lie backwards."""
    first, found = BLOCKS, []
    for context in contexts:
        count = blocks_for(context)
        found.append(Span(1, context, torch.arange(first - 1, first - 1 - count, -1, dtype=torch.int32)))
        first -= count
    return found


@torch.inference_mode()
def test_steps_of_any_number_of_sequences(model: MistralSmall) -> None:
    cache, expected_cache = new_cache(model), new_cache(model)
    runner = ModelRunner(model, cache)
    # First more sequences, then fewer in the same tensors: what the others left must not be kept or seen.
    for contexts in ((3, 40, 1), (4, 41, 2), (5, 42), (6, 43, 3, 1)):
        ids = torch.arange(5, 5 + len(contexts))
        actual = runner(ForwardBatch(ids, PagedBatch(spans(*contexts))))
        expected = model(ForwardBatch(ids, PagedBatch(spans(*contexts))), expected_cache)
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
        for layer, expected_layer in zip(cache.layers, expected_cache.layers, strict=True):
            torch.testing.assert_close(layer.keys, expected_layer.keys, rtol=1e-4, atol=1e-4)
    assert len(runner._steps) == 2


@torch.inference_mode()
def test_prompts_beside_single_tokens(model: MistralSmall) -> None:
    """A batch of both: single tokens go through one kernel, prompts each by themselves."""
    cache, alone_cache = new_cache(model), new_cache(model)
    runner = ModelRunner(model, cache)
    ids = torch.arange(5, 5 + 9)
    one, other, third = (torch.tensor([block], dtype=torch.int32) for block in (1, 4, 2))
    runner(ForwardBatch(ids[:5], PagedBatch([Span(3, 3, one), Span(2, 2, other)])))
    mixed = [Span(1, 4, one), Span(2, 2, third), Span(1, 3, other)]
    actual = runner(ForwardBatch(ids[5:], PagedBatch(mixed)))
    model(ForwardBatch(ids[:5], PagedBatch([Span(3, 3, one), Span(2, 2, other)])), alone_cache)
    parts: list[Tensor] = []
    for first, span in zip((5, 6, 8), mixed, strict=True):
        parts.append(model(ForwardBatch(ids[first : first + span.tokens], PagedBatch([span])), alone_cache))
    torch.testing.assert_close(actual, torch.cat(parts), rtol=1e-4, atol=1e-4)
    assert not runner._steps


def test_the_first_answer_finds_its_step_recorded(model: MistralSmall) -> None:
    cache = new_cache(model)
    runner = ModelRunner(model, cache)
    runner.prepare()
    (step,) = runner._steps.values()
    with torch.inference_mode():
        step.replay()  # as recording it does
        assert all(bool((tensor == 0).all()) for layer in cache.layers for tensor in layer.tensors)
        runner(ForwardBatch(torch.tensor([5]), PagedBatch(spans(3))))
    assert list(runner._steps.values()) == [step]
    assert any(bool((tensor != 0).any()) for layer in cache.layers for tensor in layer.tensors)
