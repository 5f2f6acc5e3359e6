"""What `find_problems` says of a checkpoint whose tensors differ from its configuration, and `check` in a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mistralet.checkpoint import Checkpoint, Problem, check, find_problems
from mistralet.config import ModelConfig, tensor_shapes
from mistralet.errors import CheckpointError
from support.random_models import TEXT, TEXT_AND_VISION, checkpoint_of, random_weights

WQ = "layers.1.attention.wq.weight"
NORM = "layers.0.ffn_norm.weight"
CONVOLUTION = "vision_encoder.patch_conv.weight"


def sound(config: ModelConfig = TEXT_AND_VISION, **changes: Any) -> Checkpoint:
    return replace(checkpoint_of(config, random_weights(config)), **changes)


def with_tensor(checkpoint: Checkpoint, name: str, **changes: Any) -> Checkpoint:
    """The checkpoint with one tensor stored in another way."""
    return replace(checkpoint, tensors=checkpoint.tensors | {name: replace(checkpoint.tensors[name], **changes)})


@pytest.mark.parametrize("config", [TEXT, TEXT_AND_VISION, replace(TEXT, tie_word_embeddings=True)])
def test_a_sound_checkpoint_has_no_problems(config: ModelConfig) -> None:
    assert find_problems(sound(config)) == []
    check(sound(config))


@pytest.mark.parametrize("name", tensor_shapes(TEXT_AND_VISION))
def test_whichever_tensor_is_missing_it_is_named(name: str) -> None:
    checkpoint = sound()
    rest = {other: tensor for other, tensor in checkpoint.tensors.items() if other != name}
    assert find_problems(replace(checkpoint, tensors=rest)) == [Problem("missing", name)]
    with pytest.raises(CheckpointError, match=f"the tensor '{name}' is missing; "):
        check(replace(checkpoint, tensors=rest))


def test_a_tensor_without_a_place_is_unexpected_under_its_stored_name() -> None:
    checkpoint = sound(unexpected=("rope_freqs.weight",))
    assert find_problems(checkpoint) == [Problem("unexpected", "rope_freqs.weight")]
    with pytest.raises(CheckpointError, match=r"the tensor 'rope_freqs\.weight' is unexpected; "):
        check(checkpoint)


def test_vision_tensors_without_a_vision_configuration_are_unexpected() -> None:
    problems = find_problems(replace(sound(), config=TEXT))
    assert {problem.kind for problem in problems} == {"unexpected"}
    assert len(problems) == len(tensor_shapes(TEXT_AND_VISION)) - len(tensor_shapes(TEXT))


def test_layers_beyond_the_configuration_are_unexpected() -> None:
    problems = find_problems(replace(sound(TEXT), config=replace(TEXT, num_hidden_layers=1)))
    assert [problem.kind for problem in problems] == ["unexpected"] * 9
    assert all(problem.tensor.startswith("layers.1.") for problem in problems)


@pytest.mark.parametrize("shape", [(64, 47), (48, 64), (64,), (1, 64, 48), ()])
def test_a_wrong_shape_is_shown_beside_the_right_one(shape: tuple[int, ...]) -> None:
    checkpoint = with_tensor(sound(), WQ, shape=shape)
    detail = f"is {list(shape)}, but the configuration says [64, 48]"
    assert find_problems(checkpoint) == [Problem("wrong shape", WQ, detail)]


@pytest.mark.parametrize("dtype", ["I8", "U8", "F64", "F8_E4M3", "I32", "BOOL"])
def test_safetensors_hold_floats_of_16_or_32_bits_only(dtype: str) -> None:
    problems = find_problems(with_tensor(sound(), WQ, dtype=dtype))
    assert [(problem.kind, problem.tensor) for problem in problems] == [("wrong type", WQ)]
    assert f"stored as {dtype}" in problems[0].detail


@pytest.mark.parametrize(
    ("name", "fits"), [(WQ, True), ("tok_embeddings.weight", True), (NORM, False), (CONVOLUTION, False)]
)
def test_in_a_gguf_matrices_may_be_packed_but_nothing_else(name: str, fits: bool) -> None:
    problems = find_problems(with_tensor(sound(format="gguf"), name, dtype="Q8_0"))
    assert [problem.kind for problem in problems] == ([] if fits else ["wrong type"])


def test_the_first_of_many_problems_is_told_with_their_number() -> None:
    with pytest.raises(CheckpointError) as raised:
        check(sound(tensors={}))
    others = len(tensor_shapes(TEXT_AND_VISION)) - 1
    first = f"{sound().path}: the tensor 'tok_embeddings.weight' is missing"
    assert str(raised.value).startswith(f"{first} (and {others} more problems); ")
    assert "\n" not in str(raised.value)
