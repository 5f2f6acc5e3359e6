"""The synthetic checkpoint: sound, of the mix of the real one, written whole or not at all."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bench import synthetic
from bench.synthetic import WHOLE, ensure_synthetic, plan_tensors, slice_of, write_synthetic
from mistralet.checkpoint import check, open_checkpoint
from mistralet.checkpoint.plan import plan_release
from mistralet.config import ModelConfig
from mistralet.errors import UsageError


@pytest.fixture
def small() -> ModelConfig:
    return replace(
        WHOLE,
        vocab_size=1300,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )


def test_the_file_is_a_sound_checkpoint(small: ModelConfig, tmp_path: Path) -> None:
    path = ensure_synthetic(tmp_path, small)
    checkpoint = open_checkpoint(path)
    check(checkpoint)
    assert checkpoint.config == small
    assert list(checkpoint.tensors.values()) == plan_tensors(small, path)
    assert [file.name for file in tmp_path.iterdir()] == ["synthetic-2-layers-q4_k_m.gguf"]


def test_progress_ends_with_all_bytes(small: ModelConfig, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    ensure_synthetic(tmp_path, small, lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1] == sum(tensor.nbytes for tensor in plan_tensors(small, tmp_path))


def test_a_whole_file_is_kept_and_a_broken_one_is_not(small: ModelConfig, tmp_path: Path) -> None:
    path = ensure_synthetic(tmp_path, small)
    content = path.read_bytes()
    path.write_bytes(content[:-1000])
    assert ensure_synthetic(tmp_path, small).read_bytes() == content
    before = path.stat().st_mtime_ns
    ensure_synthetic(tmp_path, small)
    assert path.stat().st_mtime_ns == before


def test_an_interruption_leaves_nothing(small: ModelConfig, tmp_path: Path) -> None:
    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_synthetic(tmp_path / "model.gguf", small, interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_before_anything_is_written(
    small: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = synthetic.shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(synthetic.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match=r"has no room for .*--keep"):
        ensure_synthetic(tmp_path, small)
    assert list(tmp_path.iterdir()) == []


def test_the_whole_has_the_mix_of_the_real_one() -> None:
    tensors = plan_tensors(WHOLE, Path("m"))
    assert sum(tensor.nbytes for tensor in tensors) == plan_release(WHOLE, "Q4_K_M").weight_bytes


def test_a_slice_has_about_the_mix_of_the_whole() -> None:
    def share(config: ModelConfig) -> float:
        kinds = Counter(tensor.dtype for tensor in plan_tensors(config, Path("m")) if ".w2." in tensor.name)
        return kinds["Q6_K"] / kinds.total()

    assert share(slice_of(2)) == share(slice_of(20)) == share(WHOLE) == 0.5


@pytest.mark.parametrize("layers", [0, -1, 41])
def test_a_slice_that_cannot_be_is_refused(layers: int) -> None:
    with pytest.raises(UsageError, match="must be from 1 to 40"):
        slice_of(layers)
