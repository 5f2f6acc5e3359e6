"""The slice in bfloat16: sound, and written whole or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import synthetic_bf16
from bench.gpu_start import load_on
from bench.synthetic_bf16 import bf16_slice, ensure_bf16, is_whole, weights_file
from mistralet.config import ModelConfig
from mistralet.errors import UsageError
from support.random_models import TEXT


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    monkeypatch.setattr(synthetic_bf16, "_POOL", 1009)
    return TEXT


def test_the_folder_is_a_sound_checkpoint(small: ModelConfig, tmp_path: Path) -> None:
    path = ensure_bf16(tmp_path, small)
    assert is_whole(path, small)
    assert [each.name for each in tmp_path.iterdir()] == ["synthetic-2-layers-bf16"]
    model = load_on(path, torch.device("cpu"))
    assert model.output.weight.dtype == torch.bfloat16
    assert model.norm.weight.tolist() == [1.0] * small.hidden_size


def test_a_whole_one_is_kept_and_another_is_not(small: ModelConfig, tmp_path: Path) -> None:
    path = ensure_bf16(tmp_path, small)
    before = weights_file(path).stat().st_mtime_ns
    assert weights_file(ensure_bf16(tmp_path, small)).stat().st_mtime_ns == before
    other = replace(small, hidden_size=64)
    assert is_whole(ensure_bf16(tmp_path, other), other)
    weights_file(path).write_bytes(weights_file(path).read_bytes()[:-1000])
    assert not is_whole(path, other)
    assert is_whole(ensure_bf16(tmp_path, other), other)


def test_a_full_disk_leaves_nothing(small: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "the disk is nearly full")

    monkeypatch.setattr(synthetic_bf16, "require_room", full)
    with pytest.raises(UsageError, match="the disk is nearly full"):
        ensure_bf16(tmp_path, small)
    assert list(tmp_path.iterdir()) == []


def test_a_slice_is_a_few_gigabytes() -> None:
    assert bf16_slice(2).vocab_size == 16384
    with pytest.raises(UsageError, match="must be from 1 to 40"):
        bf16_slice(0)
