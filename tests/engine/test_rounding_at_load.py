"""Float models rounded while they are loaded, and quantised checkpoints, compute what their weights say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mistralet.checkpoint import Checkpoint, open_checkpoint
from mistralet.config import KVType, Rounding
from mistralet.engine.load import _each, load_weights, rounded
from mistralet.errors import UsageError
from mistralet.model import ForwardBatch, KVCache, MistralSmall
from mistralet.native import kernels
from mistralet.ops import blocks_for
from mistralet.ops.linear import are_native
from mistralet.quant import PackedTensor, ScaledTensor
from support.quantized_files import KINDS, write_quantized
from support.random_models import TEXT, checkpoint_of, random_weights
from support.tiny_mistral import Reference, mistral_reference

CPU = torch.device("cpu")
# Rows of whole blocks of 32, which the kernels take.
CONFIG = replace(TEXT, hidden_size=64, intermediate_size=128, num_attention_heads=4, head_dim=16)
IDS = [1, *range(20, 60)]


def logits(model: MistralSmall, ids: Sequence[int] = IDS) -> Tensor:
    cache = KVCache(model.config, KVType.FLOAT32, CPU, blocks_for(len(ids)))
    with torch.inference_mode():
        return model.logits(model(ForwardBatch.alone(list(ids), 0), cache))


@pytest.fixture
def default_configuration() -> Iterator[None]:
    yield
    assert kernels is not None
    kernels.configure(2, kernels.instruction_sets()[0])


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    return checkpoint_of(CONFIG, random_weights(CONFIG))


def of_rounded_floats(checkpoint: Checkpoint, rounding: Rounding) -> MistralSmall:
    """The model of the floats that rounding comes to."""
    source = rounded(checkpoint, rounding)
    weights = {}
    for name in source.tensors:
        weight = source.read(name)
        assert isinstance(weight, (Tensor, ScaledTensor))
        weights[name] = weight if isinstance(weight, Tensor) else weight.dequantize()
    return load_weights(checkpoint_of(checkpoint.config, weights), CPU, use_native=False)


@pytest.mark.parametrize("rounding", Rounding)
def test_a_rounded_model_computes_with_rounded_weights(checkpoint: Checkpoint, rounding: Rounding) -> None:
    expected = logits(of_rounded_floats(checkpoint, rounding))
    model = load_weights(rounded(checkpoint, rounding), CPU, use_native=False)
    assert isinstance(model.layers[0].attention.wq.weight, ScaledTensor)
    assert isinstance(model.output.weight, Tensor)
    torch.testing.assert_close(logits(model), expected, rtol=0, atol=1e-4)
    unrounded = logits(load_weights(checkpoint, CPU, use_native=False))
    assert (expected - unrounded).abs().mean() > 0.01 * unrounded.abs().mean()


@pytest.mark.skipif(kernels is None, reason="needs the native kernels")
def test_int4_is_packed_for_the_kernels(checkpoint: Checkpoint) -> None:
    model = load_weights(rounded(checkpoint, Rounding.INT4), CPU)
    assert isinstance(model.layers[0].feed_forward.w2.weight, PackedTensor)
    expected = logits(of_rounded_floats(checkpoint, Rounding.INT4))
    # The kernels round activations to 8 bits.
    assert torch.nn.functional.cosine_similarity(logits(model), expected, dim=-1).min() > 0.999


@pytest.mark.skipif(kernels is None, reason="needs the native kernels")
@pytest.mark.usefixtures("default_configuration")
def test_fp8_is_multiplied_as_it_lies(checkpoint: Checkpoint) -> None:
    """With the same bits on every instruction set, in every number of threads, with more tokens behind or fewer."""
    assert kernels is not None
    model = load_weights(rounded(checkpoint, Rounding.FP8), CPU)
    assert are_native(torch.zeros(1, 1), [layer.feed_forward.w2.weight for layer in model.layers])
    first = logits(model)
    for instruction_set, threads in product(kernels.instruction_sets(), (1, 2)):
        kernels.configure(threads, instruction_set)
        assert torch.equal(logits(model), first)
        assert torch.equal(logits(model, IDS[:5]), first[:5])
    torch.testing.assert_close(first, logits(of_rounded_floats(checkpoint, Rounding.FP8)), rtol=0, atol=1e-4)


def test_progress_is_told(checkpoint: Checkpoint) -> None:
    told: list[tuple[int, int]] = []
    load_weights(rounded(checkpoint, Rounding.INT4), CPU, progress=lambda *each: told.append(each))
    assert told[-1] == (checkpoint.nbytes, checkpoint.nbytes)
    assert told == sorted(told)


def test_weights_come_in_order_from_several_threads() -> None:
    names = [str(number) for number in range(50)]
    assert dict(_each(int, names, at_once=3)) == {str(number): number for number in range(50)}
    with pytest.raises(ValueError, match="invalid literal"):
        dict(_each(int, [*names, "none", *names], at_once=3))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return mistral_reference()


def test_what_is_quantised_already_is_not_rounded(tiny_path: Path) -> None:
    with pytest.raises(UsageError, match="its weights are quantised already; leave out --quantization"):
        rounded(open_checkpoint(tiny_path), Rounding.INT4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantised_checkpoint_runs(kind: str, reference: Reference, tmp_path: Path) -> None:
    quantized, dense = (
        load_weights(open_checkpoint(folder), CPU, use_native=False)
        for folder in write_quantized(reference, tmp_path, kind)
    )
    torch.testing.assert_close(logits(quantized), logits(dense), rtol=0, atol=1e-4)
    model = load_weights(open_checkpoint(tmp_path / kind), CPU)
    assert torch.nn.functional.cosine_similarity(logits(model), logits(dense), dim=-1).min() > 0.999
    if kernels is not None and kind.startswith("fp8"):
        assert all(are_native(torch.zeros(1, 1), [layer.attention.wo.weight]) for layer in model.layers)
        torch.testing.assert_close(logits(model), logits(dense), rtol=0, atol=1e-4)
