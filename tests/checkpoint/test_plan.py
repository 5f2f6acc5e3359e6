"""What a model needs of a machine, against published sizes and against files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mistralet.checkpoint import open_checkpoint
from mistralet.checkpoint.plan import CONTEXTS, HEADROOM, plan_checkpoint, plan_release
from mistralet.machine import Memory
from support.published import SMALL_3_0, SMALL_3_2
from support.random_models import TEXT, TEXT_AND_VISION, checkpoint_of, random_weights
from support.tiny_gguf import TEXT_KEYS, tiny_gguf


def test_the_release_in_bf16() -> None:
    plan = plan_release(SMALL_3_2, "BF16")
    assert plan.weights == {"text": 47_144_806_400, "vision": 806_610_944, "projector": 71_305_216}
    assert plan.weight_bytes == 48_022_722_560


def test_the_release_in_q4_k_m() -> None:
    assert plan_release(SMALL_3_0, "Q4_K_M").weights == {"text": 14_326_026_240}
    plan = plan_release(SMALL_3_2, "Q4_K_M")
    assert plan.weights["text"] == 14_326_026_240
    assert plan.weights["vision"] + plan.weights["projector"] == pytest.approx(0.878e9, rel=1e-3)  # SPEC 2.3


@pytest.mark.parametrize(("layers", "dearer"), [(40, 20), (11, 5), (8, 4), (7, 3)])
def test_the_mix_spends_more_on_the_outer_eighths_and_every_third_layer_between(layers: int, dearer: int) -> None:
    """Of 11 layers: the first, the last two, and of the eight between the third and the sixth."""
    plan = plan_release(replace(SMALL_3_0, num_hidden_layers=layers), "Q4_K_M")
    around, layer, extra = 928_010_240, 312_647_680, 44_605_440
    assert plan.weights["text"] == around + layers * layer + dearer * extra


@pytest.mark.parametrize(("tokens", "nbytes"), [(1, 163_840), (32_768, 5_368_709_120), (131_072, 21_474_836_480)])
def test_the_cache_of_the_release(tokens: int, nbytes: int) -> None:
    plan = plan_release(SMALL_3_2, "BF16")
    assert plan.kv_bytes(tokens) == nbytes
    assert plan.needed(tokens) == 48_022_722_560 + nbytes + HEADROOM


def test_the_contexts_shown_end_at_the_releases_own() -> None:
    assert CONTEXTS[-1] == SMALL_3_2.max_position_embeddings
    assert SMALL_3_0.max_position_embeddings in CONTEXTS


@pytest.mark.parametrize(
    ("spare", "context"),
    [
        (-1, 0),
        (0, 0),
        (163_839, 0),
        (163_840, 1),
        (163_840 * 1000, 1000),
        (163_840 * 131_072 - 1, 131_071),
        (163_840 * 131_072, 131_072),
        (1 << 50, 131_072),
    ],
)
def test_the_largest_context_is_what_the_rest_of_the_memory_holds(spare: int, context: int) -> None:
    plan = plan_release(SMALL_3_2, "BF16")
    memory = Memory("RAM", plan.weight_bytes + HEADROOM + spare)
    assert plan.largest_context(memory) == context
    assert context == 0 or plan.needed(context) <= memory.nbytes


def test_no_memory_holds_nothing() -> None:
    assert plan_release(SMALL_3_2, "Q4_K_M").largest_context(Memory("RAM", 0)) == 0


def test_a_checkpoint_is_planned_by_part_from_its_tensors() -> None:
    weights = random_weights(TEXT_AND_VISION)
    plan = plan_checkpoint(checkpoint_of(TEXT_AND_VISION, weights))
    assert plan.weight_bytes == sum(weight.nbytes for weight in weights.values())
    assert set(plan.weights) == {"text", "vision", "projector"}
    text = checkpoint_of(TEXT, {name: weights[name] for name in random_weights(TEXT)})
    assert plan_checkpoint(text).weights == {"text": plan.weights["text"]}
    assert plan.kv_bytes_per_token == 2 * 2 * 2 * 16 * 2


def test_a_gguf_file_is_planned_from_the_sizes_in_it(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(tiny_gguf(TEXT_KEYS))
    assert plan_checkpoint(open_checkpoint(path)).weights == {"text": 32}
