"""A large model is packed once; its file is used only if it is whole and made from the very same weights."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import gguf
import numpy as np
import pytest
import torch

from mistralet.checkpoint import Checkpoint, open_checkpoint, packed_copy
from mistralet.checkpoint.packed_copy import map_ahead
from mistralet.engine import packed_file
from mistralet.engine.packed_file import packed_matrices
from mistralet.native import kernels
from support.tiny_mistral import TEXT

if kernels is None:
    pytest.skip("the native kernels were not built", allow_module_level=True)

FLOAT = "layers.0.attention.wk.weight"
NAMES = ["layers.0.attention.wq.weight", "output.weight", "norm.weight"]


def write_model(path: Path, seed: int = 0) -> Path:
    """Not a whole model: one packed matrix of each of two types, and a norm."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_key_length(16)
    writer.add_layer_norm_rms_eps(TEXT["rms_norm_eps"])
    writer.add_rope_freq_base(1e6)
    writer.add_vocab_size(128)
    for name, rows, kind in (("blk.0.attn_q.weight", 64, "Q4_1"), ("output.weight", 128, "Q8_0")):
        raw_dtype = gguf.GGMLQuantizationType[kind]
        values = random.standard_normal((rows, 64)).astype(np.float32)
        writer.add_tensor(name, gguf.quants.quantize(values, raw_dtype), raw_dtype=raw_dtype)
    writer.add_tensor("output_norm.weight", np.ones(64, np.float32))
    writer.add_tensor("blk.0.attn_k.weight", random.standard_normal((32, 64)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


class Case(NamedTuple):
    checkpoint: Checkpoint
    files: Callable[[], list[Path]]
    packings: list[str]  # a name for each matrix packed so far


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(packed_file, "SMALLEST", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    packings: list[str] = []
    pack = packed_file.pack
    monkeypatch.setattr(packed_file, "pack", lambda weight: packings.append(weight.format.name) or pack(weight))
    folder = tmp_path / "cache" / "mistralet" / "packed"
    return Case(open_checkpoint(write_model(tmp_path / "model.gguf")), lambda: list(folder.glob("*")), packings)


def same(a: dict[str, packed_file.PackedTensor], b: dict[str, packed_file.PackedTensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name].data, b[name].data) for name in a)


def test_the_second_start_packs_nothing(case: Case) -> None:
    first = packed_matrices(case.checkpoint, NAMES)
    assert list(first) == NAMES[:2]
    assert case.packings == ["Q4_1", "Q8_0"]
    assert same(packed_matrices(case.checkpoint, NAMES), first)
    assert len(case.packings) == 2
    assert len(case.files()) == 1


@pytest.mark.parametrize("free", [0, 1 << 40])
def test_a_file_that_was_mapped_ahead_is_used(free: int, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    first = packed_matrices(case.checkpoint, NAMES)
    monkeypatch.setattr(packed_copy, "free_ram", lambda: free)
    map_ahead(case.checkpoint.path)
    (file,) = case.files()
    mapped = packed_copy._mapped_ahead[file]
    again = packed_matrices(case.checkpoint, NAMES)
    start = ctypes.addressof(ctypes.c_char.from_buffer(mapped))
    assert all(start < matrix.data.data_ptr() < start + len(mapped) for matrix in again.values())
    assert same(again, first)
    assert packed_copy._mapped_ahead == {}


@pytest.mark.parametrize("damage", [lambda f: f.write_bytes(f.read_bytes()[:-5000]), lambda f: f.write_bytes(b"")])
def test_a_damaged_file_that_was_mapped_ahead_is_not(damage: Callable[[Path], object], case: Case) -> None:
    first = packed_matrices(case.checkpoint, NAMES)
    sound = {name: matrix.data.clone() for name, matrix in first.items()}
    del first
    damage(case.files()[0])
    map_ahead(case.checkpoint.path)
    again = packed_matrices(case.checkpoint, NAMES)
    assert all(torch.equal(again[name].data, data) for name, data in sound.items())


def test_without_a_file_nothing_is_mapped_ahead(case: Case) -> None:
    map_ahead(case.checkpoint.path)
    map_ahead(case.checkpoint.path.with_name("missing.gguf"))
    assert packed_copy._mapped_ahead == {}


def test_a_small_model_has_no_file(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    from_file = packed_matrices(case.checkpoint, NAMES)
    case.files()[0].unlink()
    monkeypatch.setattr(packed_file, "SMALLEST", 1 << 30)
    assert same(packed_matrices(case.checkpoint, NAMES), from_file)
    assert case.files() == []


@pytest.mark.parametrize("damage", [lambda f: f.write_bytes(f.read_bytes()[:-1]), lambda f: f.write_bytes(b"x" * 100)])
def test_a_damaged_file_is_made_anew(damage: Callable[[Path], object], case: Case) -> None:
    first = packed_matrices(case.checkpoint, NAMES)
    sound = {name: matrix.data.clone() for name, matrix in first.items()}
    (file,) = case.files()
    damage(file)
    again = packed_matrices(case.checkpoint, NAMES)
    assert all(torch.equal(again[name].data, data) for name, data in sound.items())
    assert len(case.packings) == 4


def test_other_weights_under_the_same_name_replace_the_file(case: Case) -> None:
    packed_matrices(case.checkpoint, NAMES)
    path = write_model(case.checkpoint.path, seed=1)
    os.utime(path, ns=(1, 1))
    renewed = packed_matrices(open_checkpoint(path), NAMES)
    assert len(case.packings) == 4
    assert len(case.files()) == 1
    assert same(renewed, packed_matrices(open_checkpoint(path), NAMES))


def test_without_room_the_matrices_are_packed_in_memory(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(case.checkpoint.path.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1 << 20))
    assert list(packed_matrices(case.checkpoint, NAMES)) == NAMES[:2]
    assert case.files() == []


def test_rounded_matrices_are_kept_beside_the_others(case: Case) -> None:
    as_they_lie = packed_matrices(case.checkpoint, NAMES)
    rounded = packed_matrices(case.checkpoint, [FLOAT], rounded=True)
    assert list(rounded) == [FLOAT]
    assert len(case.packings) == 3
    assert same(packed_matrices(case.checkpoint, [FLOAT], rounded=True), rounded)
    assert same(packed_matrices(case.checkpoint, NAMES), as_they_lie)
    assert len(case.packings) == 3
    assert len(case.files()) == 2
    assert packed_matrices(case.checkpoint, [FLOAT]) == {}


def test_an_interruption_leaves_nothing(case: Case) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        packed_matrices(case.checkpoint, NAMES, stop)
    assert case.files() == []


def test_progress_counts_all_bytes(case: Case) -> None:
    steps: list[tuple[int, int]] = []
    packed_matrices(case.checkpoint, NAMES, lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] == sum(case.checkpoint.tensors[name].nbytes for name in NAMES[:2])
