"""The tensors a configuration implies: names, shapes and how many weights in all (SPEC 1.4, 2.1)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mistralet.config import ModelConfig, count_parameters, part_of, tensor_shapes
from mistralet.model import MistralSmall
from support.published import SMALL_3_0, SMALL_3_2


def test_parameters_of_the_full_model_by_part() -> None:
    assert count_parameters(SMALL_3_2) == {
        "text": 23_572_403_200,
        "vision": 403_305_472,
        "projector": 35_652_608,
        "total": 24_011_361_280,
    }


def test_parameters_of_the_text_only_release() -> None:
    assert count_parameters(SMALL_3_0) == {"text": 23_572_403_200, "vision": 0, "projector": 0, "total": 23_572_403_200}


def test_tied_embeddings_are_counted_once() -> None:
    tied = replace(SMALL_3_0, tie_word_embeddings=True)
    assert "output.weight" not in tensor_shapes(tied)
    assert count_parameters(SMALL_3_0)["total"] - count_parameters(tied)["total"] == 131_072 * 5120


@pytest.mark.parametrize(("config", "tensors"), [(SMALL_3_0, 363), (SMALL_3_2, 363 + 222)])
def test_number_of_tensors(config: ModelConfig, tensors: int) -> None:
    assert len(tensor_shapes(config)) == tensors


@pytest.mark.parametrize(
    ("name", "shape", "part"),
    [
        ("tok_embeddings.weight", (131_072, 5120), "text"),
        ("layers.39.attention_norm.weight", (5120,), "text"),
        ("layers.39.attention.wq.weight", (4096, 5120), "text"),
        ("layers.39.attention.wk.weight", (1024, 5120), "text"),
        ("layers.39.attention.wv.weight", (1024, 5120), "text"),
        ("layers.39.attention.wo.weight", (5120, 4096), "text"),
        ("layers.39.ffn_norm.weight", (5120,), "text"),
        ("layers.39.feed_forward.w1.weight", (32_768, 5120), "text"),
        ("layers.39.feed_forward.w2.weight", (5120, 32_768), "text"),
        ("layers.39.feed_forward.w3.weight", (32_768, 5120), "text"),
        ("norm.weight", (5120,), "text"),
        ("output.weight", (131_072, 5120), "text"),
        ("vision_encoder.patch_conv.weight", (1024, 3, 14, 14), "vision"),
        ("vision_encoder.ln_pre.weight", (1024,), "vision"),
        ("vision_encoder.transformer.layers.23.attention_norm.weight", (1024,), "vision"),
        ("vision_encoder.transformer.layers.23.attention.wq.weight", (1024, 1024), "vision"),
        ("vision_encoder.transformer.layers.23.attention.wo.weight", (1024, 1024), "vision"),
        ("vision_encoder.transformer.layers.23.feed_forward.w1.weight", (4096, 1024), "vision"),
        ("vision_encoder.transformer.layers.23.feed_forward.w2.weight", (1024, 4096), "vision"),
        ("pre_mm_projector_norm.weight", (1024,), "projector"),
        ("patch_merger.merging_layer.weight", (1024, 4096), "projector"),
        ("vision_language_adapter.w_in.weight", (5120, 1024), "projector"),
        ("vision_language_adapter.w_out.weight", (5120, 5120), "projector"),
    ],
)
def test_shapes_and_parts_of_the_full_model(name: str, shape: tuple[int, ...], part: str) -> None:
    assert tensor_shapes(SMALL_3_2)[name] == shape
    assert part_of(name) == part


@pytest.mark.parametrize("config", [SMALL_3_0, SMALL_3_2], ids=["3.0", "3.2"])
def test_the_model_has_exactly_these_tensors(config: ModelConfig) -> None:
    """Built at its full size, which takes no memory: its weights are shapes only until they are loaded."""
    model = MistralSmall(config)
    assert {name: tuple(weight.shape) for name, weight in model.named_parameters()} == tensor_shapes(config)
    assert all(weight.is_meta for weight in model.parameters())
