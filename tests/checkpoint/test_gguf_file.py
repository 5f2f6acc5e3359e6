"""The GGUF reader on sound files, and on files that lie about every length they state."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader, GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mistralet.checkpoint.gguf import read_tensor
from mistralet.checkpoint.gguf_file import GgufFile, read_gguf
from mistralet.errors import CheckpointError
from mistralet.quant import QuantizedTensor
from support.gguf_bytes import (
    ARRAY,
    BOOL,
    F32,
    STRING,
    TENSOR_BF16,
    TENSOR_F32,
    TENSOR_Q8_0,
    U8,
    U32,
    U64,
    RawTensor,
    array,
    gguf_bytes,
    key,
    scalar,
)

KEYS = [
    key("general.architecture", scalar(STRING, "llama")),
    key("llama.block_count", scalar(U32, 40)),
    key("llama.rope.freq_base", scalar(F32, 1e9)),
    key("tokenizer.ggml.add_bos_token", scalar(BOOL, True)),
    key("tokenizer.ggml.tokens", array(STRING, ["a", "é", ""])),
    key("tokenizer.ggml.token_type", array(U32, [1, 3, 1])),
]
METADATA = {
    "general.architecture": "llama",
    "llama.block_count": 40,
    "llama.rope.freq_base": 1e9,
    "tokenizer.ggml.add_bos_token": True,
    "tokenizer.ggml.tokens": ["a", "é", ""],
    "tokenizer.ggml.token_type": [1, 3, 1],
}
MATRIX = np.arange(8, dtype="<f4").reshape(2, 4)
PACKED = np.frombuffer(b"".join(struct.pack("<e", 0.5 * row + 0.5) + bytes(range(32)) for row in range(2)), np.uint8)
VECTOR = np.array([1.0, -2.0, 0.5], dtype="<f4")
VECTOR_BF16 = (VECTOR.view("<u4") >> 16).astype("<u2")
TENSORS = [
    RawTensor("matrix", [4, 2], TENSOR_F32, 0),
    RawTensor("packed", [32, 2], TENSOR_Q8_0, 32),
    RawTensor("vector", [3], TENSOR_BF16, 128),
]
DATA = MATRIX.tobytes() + PACKED.tobytes().ljust(96, b"\0") + VECTOR_BF16.tobytes()
SOUND = gguf_bytes(KEYS, TENSORS, DATA)
HEADER_SIZE = len(SOUND) - len(DATA)


def read(data: bytes, folder: Path) -> GgufFile:
    path = folder / "file.gguf"
    path.write_bytes(data)
    return read_gguf(path)


def refusal(data: bytes, folder: Path) -> str:
    """The sentence with which a file is refused, its path taken off; always one line."""
    with pytest.raises(CheckpointError) as raised:
        read(data, folder)
    path, _, sentence = str(raised.value).partition(": ")
    assert path == str(folder / "file.gguf")
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("version", [2, 3])
def test_a_sound_file_gives_its_keys_and_tensors(version: int, tmp_path: Path) -> None:
    file = read(gguf_bytes(KEYS, TENSORS, DATA, version=version), tmp_path)
    assert file.metadata == METADATA
    assert {name: tensor.shape for name, tensor in file.tensors.items()} == {
        "matrix": (2, 4),
        "packed": (2, 32),
        "vector": (3,),
    }
    matrix = read_tensor(file, file.tensors["matrix"])
    packed = read_tensor(file, file.tensors["packed"])
    vector = read_tensor(file, file.tensors["vector"])
    assert isinstance(matrix, torch.Tensor)
    assert isinstance(vector, torch.Tensor)
    assert isinstance(packed, QuantizedTensor)
    assert torch.equal(matrix, torch.from_numpy(MATRIX))
    assert torch.equal(vector, torch.tensor(VECTOR, dtype=torch.bfloat16))
    assert torch.equal(packed.dequantize(), torch.outer(torch.tensor([0.5, 1.0]), torch.arange(32.0)))


def test_the_gguf_package_reads_the_same_keys_and_tensors(tmp_path: Path) -> None:
    file = read(SOUND, tmp_path)
    reader = GGUFReader(file.path)
    theirs = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.")}
    assert file.metadata == theirs
    for other in reader.tensors:
        ours = file.tensors[other.name]
        assert (ours.type.name, ours.nbytes, ours.offset) == (
            other.tensor_type.name,
            other.n_bytes,
            other.data_offset,
        )
        assert ours.shape == tuple(reversed(other.shape.tolist()))


def test_a_file_of_the_gguf_package_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "theirs.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    values: dict[str, Any] = {
        "uint8": 200,
        "int8": -100,
        "uint16": 60_000,
        "int16": -30_000,
        "uint32": 4_000_000_000,
        "int32": -2_000_000_000,
        "uint64": 1 << 63,
        "int64": -(1 << 62),
        "float32": 0.5,
        "float64": 1e-300,
        "bool": False,
        "string": "naïve\n",
        "array": [1.5, 2.5],
    }
    for kind, value in values.items():
        getattr(writer, f"add_{kind}")(f"key.{kind}", value)
    tensors = {"a.weight": MATRIX, "b.weight": VECTOR.astype(np.float16), "c.weight": np.ones((2, 2, 2, 3), "<f4")}
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    file = read_gguf(path)
    assert {name.removeprefix("key."): value for name, value in file.metadata.items() if "key." in name} == values
    for name, tensor in tensors.items():
        ours = read_tensor(file, file.tensors[name])
        assert isinstance(ours, torch.Tensor)
        assert np.array_equal(ours.numpy(), tensor)


def test_an_array_of_arrays_is_read(tmp_path: Path) -> None:
    inner = array(U32, [1, 2])[4:] + array(STRING, ["x"])[4:]
    nested = struct.pack("<IIQ", ARRAY, ARRAY, 2) + inner
    assert read(gguf_bytes([key("nested", nested)]), tmp_path).metadata == {"nested": [[1, 2], ["x"]]}


def test_a_token_that_is_no_utf8_is_kept(tmp_path: Path) -> None:
    tokens = read(gguf_bytes([key("tokens", array(STRING, [b"\xe9\xff"]))]), tmp_path).metadata["tokens"]
    assert tokens[0].encode("utf-8", "surrogateescape") == b"\xe9\xff"


def test_tensors_stay_in_the_mapped_file(tmp_path: Path) -> None:
    """A change of one tensor shows in a second reading of it: both are views of the file's pages."""
    file = read(SOUND, tmp_path)
    first, second = (read_tensor(file, file.tensors["matrix"]) for _ in range(2))
    assert isinstance(first, torch.Tensor)
    assert isinstance(second, torch.Tensor)
    assert first.data_ptr() == second.data_ptr()


def test_the_file_itself_cannot_be_changed_through_a_tensor(tmp_path: Path) -> None:
    file = read(SOUND, tmp_path)
    matrix = read_tensor(file, file.tensors["matrix"])
    assert isinstance(matrix, torch.Tensor)
    matrix.fill_(7)
    assert file.path.read_bytes() == SOUND


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    for size in range(len(SOUND)):
        with pytest.raises(CheckpointError):
            read(SOUND[:size], tmp_path)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"GGML" + SOUND[4:], "not a GGUF file"),
        (b"PK\x03\x04", "not a GGUF file"),
        (gguf_bytes(version=1), "version 1 is not supported"),
        (gguf_bytes(version=4), "version 4 is not supported"),
        (gguf_bytes(version=0), "version 0 is not supported"),
        (gguf_bytes(version=3 << 24), "big-endian"),
    ],
    ids=["ggml", "zip", "version-1", "version-4", "version-0", "big-endian"],
)
def test_another_format_or_version_is_refused(data: bytes, sentence: str, tmp_path: Path) -> None:
    assert sentence in refusal(data, tmp_path)


ABSURD = [1 << 20, 1 << 31, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
NESTED = struct.pack("<I", ARRAY) + struct.pack("<IQ", ARRAY, 1) * 2000


@pytest.mark.parametrize("count", ABSURD)
@pytest.mark.parametrize(
    "make",
    [
        lambda count: gguf_bytes(KEYS, key_count=count),
        lambda count: gguf_bytes(KEYS, TENSORS, DATA, tensor_count=count),
        lambda count: gguf_bytes([struct.pack("<Q", count) + b"name"]),
        lambda count: gguf_bytes([key("k", struct.pack("<IQ", STRING, count))]),
        lambda count: gguf_bytes([key("k", array(U8, [1, 2], count))]),
        lambda count: gguf_bytes([key("k", array(U64, [1, 2], count))]),
        lambda count: gguf_bytes([key("k", array(STRING, ["a"], count))]),
        lambda count: gguf_bytes([key("k", struct.pack("<IIQ", ARRAY, ARRAY, count))]),
        lambda count: gguf_bytes((), [RawTensor("t", [count], TENSOR_F32, 0)], DATA),
        lambda count: gguf_bytes((), [RawTensor("t", [count] * 4, TENSOR_F32, 0)], DATA),
        lambda count: gguf_bytes((), [RawTensor("t", [4], TENSOR_F32, count // 32 * 32)], DATA),
    ],
    ids=[
        "keys",
        "tensors",
        "key-length",
        "string-length",
        "array-of-bytes",
        "array-of-u64",
        "array-of-strings",
        "array-of-arrays",
        "one-dimension",
        "four-dimensions",
        "offset",
    ],
)
def test_an_absurd_count_is_refused_without_taking_memory(make: Any, count: int, tmp_path: Path) -> None:
    data = make(count)
    tracemalloc.start()
    try:
        refusal(data, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 18


def test_a_header_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """Values take more room in memory than in the file, so that even a true count can be absurd."""
    path = tmp_path / "sparse.gguf"
    count = 1 << 32
    path.write_bytes(gguf_bytes([key("k", array(U8, [], count))]))
    with path.open("r+b") as file:
        file.truncate(count + 1000)
    with pytest.raises(CheckpointError, match="announces more"):
        read_gguf(path)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (gguf_bytes([KEYS[0], KEYS[0]]), "the key 'general.architecture' occurs twice"),
        (gguf_bytes(KEYS, [TENSORS[0], TENSORS[0]], DATA), "the tensor 'matrix' occurs twice"),
        (gguf_bytes([key("k", struct.pack("<I", 13))]), "unknown kind 13"),
        (gguf_bytes([key("k", struct.pack("<IIQ", ARRAY, 99, 1) + bytes(8))]), "unknown kind 99"),
        (gguf_bytes([key("k", NESTED)]), "the file is damaged"),
        (gguf_bytes([key(b"k\xff", scalar(U8, 1))]), "a name that is no text"),
        (gguf_bytes([key("", scalar(U8, 1))]), "a name that is no text"),
        (gguf_bytes((), [RawTensor(b"t\xff", [4], TENSOR_F32, 0)], DATA), "a name that is no text"),
        (gguf_bytes((), [RawTensor("t\x1b[2J", [4], TENSOR_F32, 0)], DATA), "a name that is no text"),
        (gguf_bytes((), [RawTensor("t", [], TENSOR_F32, 0)], DATA), "'t' has 0 dimensions"),
        (gguf_bytes((), [RawTensor("t", [1] * 5, TENSOR_F32, 0)], DATA), "'t' has 5 dimensions"),
        (gguf_bytes((), [RawTensor("t", [0, 4], TENSOR_F32, 0)], DATA), "'t' is empty"),
        (gguf_bytes((), [RawTensor("t", [4, 0], TENSOR_F32, 0)], DATA), "'t' is empty"),
        (gguf_bytes((), [RawTensor("t", [4], 16, 0)], DATA), "type number 16, which is not supported"),
        (gguf_bytes((), [RawTensor("t", [31], TENSOR_Q8_0, 0)], DATA), "Q8_0 packs 32 at a time"),
        (gguf_bytes((), [RawTensor("t", [4], TENSOR_F32, 1)], DATA), "does not start at a multiple of 32"),
        (gguf_bytes((), [RawTensor("t", [4], TENSOR_F32, 160)], DATA), "cut short"),
        (gguf_bytes((), [RawTensor("t", [1 << 32, 1 << 32], TENSOR_F32, 0)], DATA), "cut short"),
        (gguf_bytes((), [RawTensor("t", [1 << 62, 4], TENSOR_F32, 0)], DATA), "cut short"),
        (gguf_bytes((), [RawTensor("t", [4], TENSOR_F32, (1 << 64) - 32)], DATA), "cut short"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(data: bytes, sentence: str, tmp_path: Path) -> None:
    assert sentence in refusal(data, tmp_path)


@pytest.mark.parametrize(
    ("first", "second"),
    [((0, 8), (0, 8)), ((0, 16), (32, 8)), ((32, 8), (0, 9)), ((0, 40), (64, 4))],
    ids=["same-place", "runs-into", "other-order", "inside"],
)
def test_tensors_that_overlap_are_refused(first: tuple[int, int], second: tuple[int, int], tmp_path: Path) -> None:
    tensors = [
        RawTensor(name, [count], TENSOR_F32, offset) for name, (offset, count) in (("one", first), ("two", second))
    ]
    sentence = refusal(gguf_bytes((), tensors, bytes(256)), tmp_path)
    assert "overlap" in sentence
    assert "'one'" in sentence
    assert "'two'" in sentence


@pytest.mark.parametrize(
    "value",
    [
        scalar(U32, 0),
        scalar(U32, 24),
        scalar(U32, 4),
        scalar(BOOL, True),
        scalar(F32, 32.0),
        scalar(STRING, "32"),
        array(U32, [32]),
    ],
    ids=["zero", "24", "4", "true", "float", "string", "array"],
)
def test_a_bad_alignment_is_refused(value: bytes, tmp_path: Path) -> None:
    sentence = refusal(gguf_bytes([key("general.alignment", value)], [TENSORS[0]], DATA), tmp_path)
    assert "'general.alignment' is" in sentence


@pytest.mark.parametrize("alignment", [8, 64, 4096])
def test_the_stated_alignment_decides_where_tensors_lie(alignment: int, tmp_path: Path) -> None:
    keys = [key("general.alignment", scalar(U32, alignment))]
    tensors = [RawTensor("one", [2], TENSOR_F32, 0), RawTensor("two", [2], TENSOR_F32, alignment)]
    data = struct.pack("<2f", 1, 2).ljust(alignment, b"\0") + struct.pack("<2f", 3, 4)
    file = read(gguf_bytes(keys, tensors, data, alignment=alignment), tmp_path)
    two = read_tensor(file, file.tensors["two"])
    assert isinstance(two, torch.Tensor)
    assert two.tolist() == [3, 4]


def test_an_empty_missing_or_special_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").touch()
    (tmp_path / "folder.gguf").mkdir()
    for name in ("empty.gguf", "folder.gguf", "missing.gguf", "a" * 300):
        with pytest.raises(CheckpointError, match="cannot be opened or is empty"):
            read_gguf(tmp_path / name)


def test_a_file_without_keys_and_tensors_is_sound(tmp_path: Path) -> None:
    file = read(gguf_bytes(), tmp_path)
    assert (file.metadata, file.tensors) == ({}, {})


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    size=st.integers(HEADER_SIZE // 2, len(SOUND)),
)
def test_any_damage_gives_a_file_or_a_checkpoint_error(
    changes: list[tuple[int, int]], size: int, tmp_path: Path
) -> None:
    data = bytearray(SOUND)
    for place, value in changes:
        data[place] = value
    tracemalloc.start()
    try:
        file = read(bytes(data[:size]), tmp_path)
        for tensor in file.tensors.values():
            assert tensor.offset + tensor.nbytes <= size
            read_tensor(file, tensor)
    except CheckpointError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 1 << 18
