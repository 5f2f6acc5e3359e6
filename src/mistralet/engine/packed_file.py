"""The matrices of a model, packed for the native kernels; a large model's are kept in a file, to be mapped next time.

Layout of the file: a line of JSON (what it was made from, place and size of each matrix), padding, then the matrices,
each at a multiple of 4096 bytes. It is made in one step; if anything about it or its source differs, it is made anew.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mistralet.checkpoint import Checkpoint
from mistralet.checkpoint.base import SCALED_DTYPES
from mistralet.checkpoint.packed_copy import digest, forget, map_copy, packed_folder, source_digest
from mistralet.files import file_states, require_room
from mistralet.quant import (
    Q8_0,
    BlockFormat,
    PackedTensor,
    QuantizedTensor,
    ScaledTensor,
    pack,
    packed_nbytes,
    quantize_q8_0,
)

# Smaller models are packed in less time than it takes to look for the file.
SMALLEST = 256 << 20  # bytes
_ALIGNMENT = 4096
_HEADER_BYTES = 256  # at most, for one matrix
_LAYOUT_VERSION = 1  # of native/layout.h: a file of another version is made anew

Progress = Callable[[int, int], None]  # bytes done, bytes in all
Weight = Tensor | QuantizedTensor


def packed_matrices(
    checkpoint: Checkpoint, names: Iterable[str], progress: Progress | None = None, rounded: bool = False
) -> dict[str, PackedTensor]:
    """The quantised ones among the matrices `names` of a checkpoint, packed, by name.

    Those of a large model are mapped from its file, which is written first if need be. If the model is small, or the
    disk has no room for the file, they are packed in memory.

    Args:
        progress: called with the bytes done and all bytes.
        rounded: round float matrices to Q8_0, and pack them too; not those whose rows are no whole blocks of it.
    """
    read = {name: checkpoint.read(name) for name in names if checkpoint.tensors[name].dtype not in SCALED_DTYPES}
    weights = {name: weight for name, weight in read.items() if not isinstance(weight, ScaledTensor)}
    weights = {name: weight for name, weight in weights.items() if _has_format(weight, rounded)}
    header = _plan(checkpoint, weights, rounded)
    path = packed_folder() / f"{header['source']}-{header['identity']}.bin"
    if header["bytes"] >= SMALLEST:
        try:
            if _read_header(path) != header:
                forget(path)
                _write(path, header, _pack_each(weights, progress))
            return _map(path, header, weights)
        except OSError:
            pass  # the file only saves time
    return dict(_pack_each(weights, progress))


def _has_format(weight: Weight, rounded: bool) -> bool:
    return isinstance(weight, QuantizedTensor) or (rounded and weight.shape[1] % Q8_0.block_size == 0)


def _format(weight: Weight) -> BlockFormat:
    return weight.format if isinstance(weight, QuantizedTensor) else Q8_0


def _pack_each(weights: dict[str, Weight], progress: Progress | None) -> Iterator[tuple[str, PackedTensor]]:
    done, total = 0, sum(weight.nbytes for weight in weights.values())
    for name, weight in weights.items():
        yield name, pack(weight if isinstance(weight, QuantizedTensor) else quantize_q8_0(weight))
        done += weight.nbytes
        if progress is not None:
            progress(done, total)


def _plan(checkpoint: Checkpoint, weights: dict[str, Weight], rounded: bool) -> dict[str, Any]:
    """The header of the file: it says what the file holds, and from which files of which state that was made."""
    files = {checkpoint.tensors[name].file for name in weights}
    places = {}
    end = (1 + len(weights) * _HEADER_BYTES // _ALIGNMENT) * _ALIGNMENT
    for name, weight in weights.items():
        nbytes = packed_nbytes(_format(weight), _shape(weight))
        places[name] = [end, nbytes]
        end += (nbytes + _ALIGNMENT - 1) // _ALIGNMENT * _ALIGNMENT
    return {
        # Rounded matrices have a file of their own, even if others lie in the same checkpoint file.
        "source": digest([source_digest(files), "rounded"]) if rounded else source_digest(files),
        "identity": digest([_LAYOUT_VERSION, file_states(files)]),
        "bytes": end,
        "places": places,
    }


def _shape(weight: Weight) -> tuple[int, int]:
    rows, columns = weight.shape
    return rows, columns


def _read_header(path: Path) -> Any:
    """The header of a whole file; None if there is none."""
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline(64 << 20))
        return header if path.stat().st_size == header["bytes"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, header: dict[str, Any], matrices: Iterable[tuple[str, PackedTensor]]) -> None:
    """Write the file. Raises `OSError` if that would fill the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    require_room(path.parent, header["bytes"])
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.truncate(header["bytes"])
            file.write(json.dumps(header).encode() + b"\n")
            for name, matrix in matrices:
                file.seek(header["places"][name][0])
                file.write(matrix.data.numpy().data)
            file.flush()
            os.fsync(file.fileno())
        for old in path.parent.glob(f"{header['source']}-*.bin"):
            old.unlink(missing_ok=True)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _map(path: Path, header: dict[str, Any], weights: dict[str, Weight]) -> dict[str, PackedTensor]:
    buffer = map_copy(path)
    matrices = {}
    for name, (offset, nbytes) in header["places"].items():
        data = torch.frombuffer(buffer, dtype=torch.uint8, count=nbytes, offset=offset)
        matrices[name] = PackedTensor.of(_format(weights[name]), _shape(weights[name]), data)
    return matrices
