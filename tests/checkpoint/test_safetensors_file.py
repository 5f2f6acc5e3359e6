"""Which safetensors files make up a checkpoint, and what their headers say, sound or damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from mistralet.checkpoint.safetensors_file import TensorReader, find_shards, read_headers
from mistralet.errors import CheckpointError, ConfigError

TENSORS = {
    "a.weight": torch.arange(6, dtype=torch.float32).view(2, 3),
    "b.weight": torch.ones(4, dtype=torch.bfloat16),
    "c.weight": torch.zeros(1, 2, 1, dtype=torch.float16),
    "scalar": torch.tensor(3, dtype=torch.int64),
}
SOUND = save(TENSORS)


def write_index(folder: Path, weight_map: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def found(folder: Path) -> list[str]:
    return [file.name for file in find_shards(folder, "model")]


def test_headers_give_shape_type_and_size_of_every_tensor(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(SOUND)
    facts = {name: (header.shape, header.dtype, header.nbytes) for name, header in read_headers([file]).items()}
    assert facts == {
        "a.weight": ((2, 3), "F32", 24),
        "b.weight": ((4,), "BF16", 8),
        "c.weight": ((1, 2, 1), "F16", 4),
        "scalar": ((), "I64", 8),
    }


def test_the_reader_gives_each_tensor_of_each_file(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.safetensors" for name in TENSORS]
    for file, (name, tensor) in zip(files, TENSORS.items(), strict=True):
        save_file({name: tensor}, file)
    headers = read_headers(files)
    reader = TensorReader()
    for _ in range(2):
        assert all(torch.equal(reader.read(headers[name].file, name), tensor) for name, tensor in TENSORS.items())
    assert list(reader.handles) == files


def test_a_single_file_is_found_by_its_name(tmp_path: Path) -> None:
    touch(tmp_path, "model.safetensors", "model-00001-of-00002.safetensors", "other.safetensors")
    assert found(tmp_path) == ["model.safetensors"]


def test_the_index_decides_where_there_is_one(tmp_path: Path) -> None:
    touch(tmp_path, "model.safetensors", "b.safetensors", "a.safetensors", "unlisted.safetensors")
    write_index(tmp_path, {"x": "b.safetensors", "y": "a.safetensors", "z": "b.safetensors"})
    assert found(tmp_path) == ["a.safetensors", "b.safetensors"]


def test_without_an_index_the_numbers_decide(tmp_path: Path) -> None:
    names = [f"model-{number:05}-of-00011.safetensors" for number in range(1, 12)]
    touch(tmp_path, *reversed(names))
    assert found(tmp_path) == names


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_whichever_numbered_shard_is_missing_it_is_named(missing: int, tmp_path: Path) -> None:
    names = [f"model-{number:05}-of-00003.safetensors" for number in range(1, 4)]
    touch(tmp_path, *(name for name in names if name != names[missing - 1]))
    with pytest.raises(CheckpointError, match=f"the shard '{names[missing - 1]}' is missing; download"):
        find_shards(tmp_path, "model")


def test_shards_of_two_series_are_refused(tmp_path: Path) -> None:
    """Such a folder is left by a download over an older one; which series is whole cannot be told from names."""
    touch(tmp_path, *(f"model-0000{n}-of-00002.safetensors" for n in (1, 2)), "model-00003-of-00003.safetensors")
    with pytest.raises(CheckpointError, match="shards of several series"):
        find_shards(tmp_path, "model")


@pytest.mark.parametrize("names", [[], ["other.safetensors"], ["model.bin"], ["model-1.bin"]])
def test_a_folder_without_weights_is_refused(names: list[str], tmp_path: Path) -> None:
    touch(tmp_path, *names)
    with pytest.raises(CheckpointError, match=r"has no model\.safetensors; download the model again"):
        find_shards(tmp_path, "model")


@pytest.mark.parametrize(
    "name",
    ["../x.safetensors", "/x.safetensors", "sub/x.safetensors", "..", "", "x.bin", ".safetensors/../x.safetensors"],
)
def test_an_index_cannot_name_a_file_elsewhere(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder" / "sub").mkdir(parents=True)
    touch(tmp_path, "x.safetensors")
    touch(tmp_path / "folder" / "sub", "x.safetensors")
    write_index(tmp_path / "folder", {"x": name})
    with pytest.raises(CheckpointError, match="which is no safetensors file beside it"):
        find_shards(tmp_path / "folder", "model")


@pytest.mark.parametrize("name", ["gone.safetensors", "x" * 300 + ".safetensors", "a\0.safetensors"])
def test_an_index_that_names_what_cannot_exist_is_refused(name: str, tmp_path: Path) -> None:
    write_index(tmp_path, {"x": name})
    with pytest.raises(CheckpointError, match="is missing; download the model again"):
        find_shards(tmp_path, "model")


@pytest.mark.parametrize("weight_map", [None, [], "x", {"x": 1}, {"x": None}, {"x": ["model.safetensors"]}])
def test_an_index_without_file_names_is_refused(weight_map: object, tmp_path: Path) -> None:
    touch(tmp_path, "model.safetensors")
    write_index(tmp_path, weight_map)
    with pytest.raises(CheckpointError, match=r"has no table 'weight_map' of file names"):
        find_shards(tmp_path, "model")


def test_an_index_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text("{")
    with pytest.raises(ConfigError, match=r"model\.safetensors\.index\.json: cannot be read as JSON"):
        find_shards(tmp_path, "model")


def test_a_tensor_in_two_shards_is_named_with_both(tmp_path: Path) -> None:
    files = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for file in files:
        save_file({"b.weight": TENSORS["b.weight"]}, file)
    with pytest.raises(CheckpointError, match=r"two\.safetensors: the tensor 'b\.weight' is also in one\.safetensors"):
        read_headers(files)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    for size in range(len(SOUND)):
        file.write_bytes(SOUND[:size])
        with pytest.raises(CheckpointError, match="is no safetensors file, or is cut short or damaged"):
            read_headers([file])


@pytest.mark.parametrize("length", [0, 1, 1 << 20, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_header_of_another_length_than_it_states_is_refused(length: int, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(length.to_bytes(8, "little") + SOUND[8:])
    with pytest.raises(CheckpointError, match="damaged"):
        read_headers([file])


def with_header(table: Mapping[str, object], data: bytes = bytes(16)) -> bytes:
    header = json.dumps(table).encode()
    return len(header).to_bytes(8, "little") + header + data


def entry(dtype: object = "F32", shape: object = (4,), offsets: object = (0, 16)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "table",
    [
        {"t": entry(shape=[5])},
        {"t": entry(shape=[-4])},
        {"t": entry(shape=[1 << 62, 16])},
        {"t": entry(shape="4")},
        {"t": entry(offsets=[16, 0])},
        {"t": entry(offsets=[0, 17])},
        {"t": entry(offsets=[0, 1 << 64])},
        {"t": entry(dtype="F31")},
        {"t": entry(dtype=None)},
        {"t": entry(), "u": entry()},
        {"t": 3},
        {},
    ],
)
def test_a_header_that_contradicts_the_file_is_refused(table: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(with_header(table))
    with pytest.raises(CheckpointError, match="damaged"):
        read_headers([file])


def test_the_header_helper_makes_a_sound_file(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(with_header({"t": entry()}))
    assert read_headers([file])["t"].shape == (4,)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damage_gives_tensors_or_a_checkpoint_error(changes: list[tuple[int, int]], tmp_path: Path) -> None:
    data = bytearray(SOUND)
    for place, value in changes:
        data[place] = value
    file = tmp_path / "model.safetensors"
    file.write_bytes(data)
    reader = TensorReader()
    try:
        for name, header in read_headers([file]).items():
            reader.read(file, name)
            assert header.nbytes <= len(data)
    except CheckpointError:
        pass
