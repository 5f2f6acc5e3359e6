"""Loading is measured beside reading the same file."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench.gpu_card import Card
from bench.gpu_start import Stored, load_on, start_chapter
from bench.synthetic import WHOLE, ensure_synthetic

CPU = torch.device("cpu")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    small = replace(
        WHOLE,
        vocab_size=1300,
        hidden_size=256,
        intermediate_size=512,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    return ensure_synthetic(tmp_path, small)


def test_a_file_is_loaded_from_disk_and_from_memory(path: Path) -> None:
    chapter = start_chapter([Stored("Q4_K_M", path, path)], Card(CPU, 1e9, 1e9))
    names = [figure.row.name.partition(" (")[0] for figure in chapter.figures]
    assert names == ["Q4_K_M, 0.00 GB on disk", "Q4_K_M, 0.00 GB in memory"]
    assert all(figure.row.ours[0] > 0 and figure.row.peer[0] > 0 for figure in chapter.figures)
    assert any("these figures say nothing" in note for note in chapter.notes)


def test_no_packed_copy_is_written(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loading = sys.modules["mistralet.engine.load"]  # the package has a function of that name
    monkeypatch.setattr(loading, "packed_matrices", lambda *_, **__: pytest.fail("packed"))
    assert load_on(path, CPU).norm.weight.device == CPU
