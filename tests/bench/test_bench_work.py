"""What a token costs, and what that says of a slice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.synthetic import WHOLE, plan_tensors, slice_of
from bench.work import Scale, Work, work_of
from mistralet.checkpoint import StoredTensor

SMALL = Work(weight_bytes=1000, layer_weights=300, output_weights=400, kv_bytes_per_token=2)
LARGE = Work(weight_bytes=4000, layer_weights=3000, output_weights=400, kv_bytes_per_token=20)


def test_a_token_reads_all_weights_and_the_cache() -> None:
    assert SMALL.decode_bytes(0) == 1000
    assert SMALL.decode_bytes(4096) == 1000 + 8192


def test_only_the_last_token_of_a_prompt_goes_through_the_output() -> None:
    assert SMALL.prefill_operations(64) == 2 * (300 * 64 + 400)


def test_speeds_of_a_slice_shrink_with_the_work() -> None:
    scale = Scale(SMALL, LARGE)
    assert scale.decode(0) == pytest.approx(1000 / 4000)
    assert scale.decode(100) == pytest.approx(1200 / 6000)
    assert scale.prefill(2) == pytest.approx(1000 / 6400)


def test_the_whole_model_is_its_own_scale() -> None:
    assert Scale(LARGE, LARGE).decode(4096) == Scale(LARGE, LARGE).prefill(512) == 1


def test_the_whole_shape_costs_what_its_file_holds_but_for_the_embedding() -> None:
    tensors = plan_tensors(WHOLE, Path("model.gguf"))
    work = work_of(tensors, WHOLE)
    assert work.weight_bytes == sum(tensor.nbytes for tensor in tensors[1:])
    assert 13.9e9 < work.weight_bytes < 14e9
    assert work.output_weights == 131_072 * 5120
    assert work.layer_weights == 40 * (5120 * (4096 + 1024 + 1024 + 4096) + 3 * 5120 * 32_768)
    assert work.kv_bytes_per_token == 163_840


def test_a_slice_has_its_share_of_the_layers() -> None:
    whole = work_of(plan_tensors(WHOLE, Path("m")), WHOLE)
    half = work_of(plan_tensors(slice_of(20), Path("m")), slice_of(20))
    assert half.layer_weights == whole.layer_weights // 2
    assert half.output_weights == whole.output_weights
    assert Scale(half, whole).decode(16) == pytest.approx(0.5, abs=0.03)


def test_a_tied_embedding_is_the_output() -> None:
    tied = replace(slice_of(1), tie_word_embeddings=True)
    embedding = StoredTensor("tok_embeddings.weight", "token_embd.weight", Path("m"), (100, 32), "Q8_0", 3400)
    norm = StoredTensor("norm.weight", "output_norm.weight", Path("m"), (32,), "F32", 128)
    assert work_of([embedding, norm], tied) == Work(3528, 0, 3200, tied.kv_bytes_per_token())
