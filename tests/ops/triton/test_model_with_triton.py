"""A whole model computes the same with the kernels as without, chunk by chunk and token by token."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mistralet.config import KVType, Rounding
from mistralet.engine.load import lay_together, load_weights, rounded
from mistralet.model import ForwardBatch, KVCache, MistralSmall
from mistralet.ops import blocks_for
from support.random_models import TEXT, checkpoint_of, random_weights

triton = pytest.importorskip("mistralet.ops.triton")
CPU = torch.device("cpu")
CONFIG = replace(TEXT, num_hidden_layers=1, vocab_size=64)  # the interpreter is slow
IDS = [1, *range(20, 31)]


def logits(model: MistralSmall) -> Tensor:
    cache = KVCache(model.config, KVType.FLOAT32, CPU, blocks_for(len(IDS)))
    for layer in cache.layers:
        for tensor in layer.tensors:
            tensor.zero_()  # the interpreter complains of products with what lies there, which nobody uses
    parts = []
    with torch.inference_mode():
        for start, end in ((0, 9), (9, 11), (11, 12)):
            parts.append(model(ForwardBatch.alone(IDS[start:end], start), cache))
        return model.logits(torch.cat(parts))


@pytest.mark.parametrize("rounding", Rounding)
def test_logits(rounding: Rounding, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = rounded(checkpoint_of(CONFIG, random_weights(CONFIG)), rounding)
    model = load_weights(checkpoint, CPU, use_native=False)
    calls = []

    class Counted:
        def __getattr__(self, name: str) -> object:
            calls.append(name)
            return getattr(triton, name)

    modules = [
        importlib.import_module(f"mistralet.ops.{name}") for name in ("linear", "attention", "norm", "activation")
    ]
    monkeypatch.setattr("mistralet.ops.attention._is_native", lambda _query, _cache: False)
    monkeypatch.setattr(modules[0], "kernels", None)  # they multiply FP8 on a CPU
    expected = logits(model)
    lay_together(model)
    for module in modules:
        monkeypatch.setattr(module, "gpu_kernels", lambda _x: Counted())
    actual = logits(model)
    assert set(calls) == {"scaled_linear", "decode_attention", "rms_norm", "rotate_and_store", "swiglu"}
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-3)
