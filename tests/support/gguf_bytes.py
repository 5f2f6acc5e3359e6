"""GGUF files put together byte by byte, so that a test can make any part of one wrong."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Kinds of value in a header.
U8, U32, F32, BOOL, STRING, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10
_CODES = {U8: "B", U32: "I", F32: "f", BOOL: "?", U64: "Q"}

# Types of tensor.
TENSOR_F32, TENSOR_Q8_0, TENSOR_BF16 = 0, 8, 30


@dataclass(frozen=True)
class RawTensor:
    """A tensor's record in the header, true or not."""

    name: str | bytes
    dimensions: Sequence[int]  # fastest first, as the file has them
    type: int
    offset: int  # bytes from the start of the data


def string(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def scalar(kind: int, value: Any) -> bytes:
    """A value as a key has it: its kind, then itself."""
    return struct.pack("<I", kind) + (string(value) if kind == STRING else struct.pack(f"<{_CODES[kind]}", value))


def array(kind: int, values: Sequence[Any], count: int | None = None) -> bytes:
    """An array of plain values or strings; `count` is what it announces."""
    items = b"".join(scalar(kind, value)[4:] for value in values)
    return struct.pack("<IIQ", ARRAY, kind, len(values) if count is None else count) + items


def key(name: str | bytes, value: bytes) -> bytes:
    return string(name) + value


def record(tensor: RawTensor) -> bytes:
    dimensions = struct.pack(f"<{len(tensor.dimensions)}Q", *tensor.dimensions)
    head = string(tensor.name) + struct.pack("<I", len(tensor.dimensions)) + dimensions
    return head + struct.pack("<IQ", tensor.type, tensor.offset)


def gguf_bytes(
    keys: Sequence[bytes] = (),
    tensors: Sequence[RawTensor] = (),
    data: bytes = b"",
    *,
    magic: bytes = b"GGUF",
    version: int = 3,
    key_count: int | None = None,
    tensor_count: int | None = None,
    alignment: int = 32,
) -> bytes:
    """A file; the counts it announces are those of `keys` and `tensors` unless given."""
    counts = (
        len(tensors) if tensor_count is None else tensor_count,
        len(keys) if key_count is None else key_count,
    )
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join(keys) + b"".join(map(record, tensors))
    return head + bytes(-len(head) % alignment) + data
