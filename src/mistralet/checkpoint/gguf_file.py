"""Reading of GGUF files: metadata and the place of each tensor, memory-mapped, trusting no length in the file.

Layout (ggml's gguf specification, version 3): magic, version, tensor count, key count; the keys; for each tensor its
name, dimensions (fastest first), type and offset; padding to the alignment; the tensors' bytes.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from mistralet.checkpoint.ggml_types import GGML_TYPES, SUPPORTED_TYPES, GgmlType
from mistralet.errors import CheckpointError

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_BIG_ENDIAN_VERSIONS = tuple(int.from_bytes(version.to_bytes(4, "little")) for version in _VERSIONS)
# A vocabulary of this family takes 10 MB. Values take more room in memory than in the file, so a bound is needed.
_MAX_HEADER_BYTES = 64 << 20
_MAX_DIMENSIONS = 4
_MAX_ARRAY_DEPTH = 4
_STRING, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


@dataclass(frozen=True)
class GgufTensor:
    """Where one tensor lies in the file."""

    name: str
    shape: tuple[int, ...]  # slowest first, as torch has it
    type: GgmlType
    offset: int  # bytes from the start of the file
    nbytes: int


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file whose header was read and checked; tensors are read through `buffer` when asked for."""

    path: Path
    metadata: dict[str, Any]
    tensors: dict[str, GgufTensor]
    buffer: mmap.mmap = field(repr=False)


def read_gguf(path: Path) -> GgufFile:
    """Read the header of a GGUF file.

    Raises:
        CheckpointError: the file cannot be opened, is no GGUF, is cut short, or contradicts itself.
    """
    try:
        with path.open("rb") as file:
            # A private mapping: the pages stay shared with the page cache, and torch accepts it as a buffer.
            buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be opened or is empty") from error
    try:
        return _parse(path, buffer)
    except BaseException:
        buffer.close()
        raise


def _parse(path: Path, buffer: mmap.mmap) -> GgufFile:
    header = _Cursor(path, buffer)
    if header.take(4) != MAGIC:
        raise CheckpointError(f"{path}: is not a GGUF file (it does not start with 'GGUF')")
    version = header.scalar("I")
    if version in _BIG_ENDIAN_VERSIONS:
        raise CheckpointError(f"{path}: is a big-endian GGUF, which is not supported; take a little-endian one")
    if version not in _VERSIONS:
        raise CheckpointError(f"{path}: GGUF version {version} is not supported; convert it with a current llama.cpp")
    tensor_count = header.count(smallest_item=24)
    metadata: dict[str, Any] = {}
    for _ in range(header.count(smallest_item=12)):
        key = header.name()
        if key in metadata:
            raise CheckpointError(f"{path}: the key '{key}' occurs twice; the file is damaged")
        metadata[key] = header.value(header.scalar("I"))
    records = [_read_tensor_record(header) for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 8 or alignment & (alignment - 1):
        raise CheckpointError(f"{path}: 'general.alignment' is {alignment!r:.40}, but must be a power of two from 8 on")
    data_start = (header.position + alignment - 1) // alignment * alignment
    tensors: dict[str, GgufTensor] = {}
    for record in records:
        if record.name in tensors:
            raise CheckpointError(f"{path}: the tensor '{record.name}' occurs twice; the file is damaged")
        if record.offset % alignment:
            raise CheckpointError(
                f"{path}: the tensor '{record.name}' does not start at a multiple of {alignment} bytes"
            )
        tensors[record.name] = _place_tensor(path, len(buffer), data_start, record)
    _refuse_overlaps(path, tensors)
    return GgufFile(path, metadata, tensors, buffer)


class _TensorRecord(NamedTuple):
    """A tensor as the header describes it, before anything is checked."""

    name: str
    shape: tuple[int, ...]
    type: GgmlType
    offset: int  # bytes from the start of the tensors' data


def _read_tensor_record(header: _Cursor) -> _TensorRecord:
    name = header.name()
    dimensions = header.scalar("I")
    if not 0 < dimensions <= _MAX_DIMENSIONS:
        raise CheckpointError(f"{header.path}: the tensor '{name}' has {dimensions} dimensions; the file is damaged")
    shape = tuple(header.scalar("Q") for _ in range(dimensions))[::-1]
    type_id = header.scalar("I")
    ggml_type = GGML_TYPES.get(type_id)
    if ggml_type is None:
        raise CheckpointError(
            f"{header.path}: the tensor '{name}' has the type number {type_id}, which is not supported; "
            f"take a file in one of {', '.join(SUPPORTED_TYPES)}"
        )
    return _TensorRecord(name, shape, ggml_type, header.scalar("Q"))


def _place_tensor(path: Path, file_size: int, data_start: int, record: _TensorRecord) -> GgufTensor:
    name, shape, ggml_type, _ = record
    if shape[-1] % ggml_type.block_size:
        raise CheckpointError(
            f"{path}: rows of the tensor '{name}' have {shape[-1]} values, "
            f"but {ggml_type.name} packs {ggml_type.block_size} at a time; the file is damaged"
        )
    start = data_start + record.offset
    nbytes = prod(shape) // ggml_type.block_size * ggml_type.block_bytes
    if nbytes == 0:
        raise CheckpointError(f"{path}: the tensor '{name}' is empty (a dimension is 0); the file is damaged")
    if start + nbytes > file_size:
        raise CheckpointError(
            f"{path}: the tensor '{name}' would end at byte {start + nbytes}, but the file has {file_size}; "
            "it is cut short, download it again"
        )
    return GgufTensor(name, shape, ggml_type, start, nbytes)


def _refuse_overlaps(path: Path, tensors: dict[str, GgufTensor]) -> None:
    for before, after in pairwise(sorted(tensors.values(), key=lambda tensor: tensor.offset)):
        if before.offset + before.nbytes > after.offset:
            raise CheckpointError(
                f"{path}: the tensors '{before.name}' and '{after.name}' overlap; the file is damaged"
            )


class _Cursor:
    """A position in the header. Every read is checked against the size of the file before it is made."""

    def __init__(self, path: Path, buffer: mmap.mmap) -> None:
        self.path = path
        self.buffer = buffer
        self.position = 0
        self.size = min(len(buffer), _MAX_HEADER_BYTES)

    def need(self, nbytes: int) -> int:
        """Move past `nbytes` and return where they start."""
        start = self.position
        if nbytes > self.size - start:
            raise self._cut_short()
        self.position = start + nbytes
        return start

    def take(self, nbytes: int) -> bytes:
        start = self.need(nbytes)
        return self.buffer[start : self.position]

    def scalar(self, code: str) -> Any:
        start = self.need(struct.calcsize(f"<{code}"))
        return struct.unpack_from(f"<{code}", self.buffer, start)[0]

    def count(self, smallest_item: int) -> int:
        """A 64-bit number of items, none of which can be smaller than `smallest_item` bytes."""
        number: int = self.scalar("Q")
        if number * smallest_item > self.size - self.position:
            raise CheckpointError(f"{self.path}: the header announces more than the file holds; download it again")
        return number

    def name(self) -> str:
        """The name of a key or a tensor, which is shown to people."""
        name = self.string()
        if not name or not name.isprintable():
            raise CheckpointError(f"{self.path}: the header holds a name that is no text; the file is damaged")
        return name

    def string(self) -> str:
        # Vocabularies hold pieces of characters; llama.cpp stores a few that are not valid UTF-8.
        return self.take(self.count(smallest_item=1)).decode("utf-8", errors="surrogateescape")

    def value(self, kind: int, depth: int = 0) -> Any:
        if kind == _STRING:
            return self.string()
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind != _ARRAY or depth >= _MAX_ARRAY_DEPTH:
            raise CheckpointError(f"{self.path}: the header holds a value of unknown kind {kind}; the file is damaged")
        return self._array(depth)

    def _array(self, depth: int) -> list[Any]:
        kind = self.scalar("I")
        if kind in _SCALARS:
            item_bytes = struct.calcsize(f"<{_SCALARS[kind]}")
            count = self.count(smallest_item=item_bytes)
            start = self.need(count * item_bytes)
            return list(struct.unpack_from(f"<{count}{_SCALARS[kind]}", self.buffer, start))
        count = self.count(smallest_item=8)
        return self._strings(count) if kind == _STRING else [self.value(kind, depth + 1) for _ in range(count)]

    def _strings(self, count: int) -> list[str]:
        """As `string` reads each; a vocabulary and its merges are 400,000, so here is no call for each."""
        start, strings = self.position, []
        for _ in range(count):
            begin = start + _LENGTH.size
            end = begin + (_LENGTH.unpack_from(self.buffer, start)[0] if begin <= self.size else 0)
            if end > self.size:
                raise self._cut_short()
            strings.append(self.buffer[begin:end].decode("utf-8", errors="surrogateescape"))
            start = end
        self.position = start
        return strings

    def _cut_short(self) -> CheckpointError:
        return CheckpointError(f"{self.path}: the header is cut short or damaged; download the file again")
