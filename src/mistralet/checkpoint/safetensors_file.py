"""Reading of one or several safetensors files as one set of tensors, memory-mapped by the `safetensors` library."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistralet.config.fields import read_json_table
from mistralet.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

_DTYPE_BYTES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
}
_SHARD = re.compile(r"-(\d{5})-of-(\d{5})\.safetensors$", re.ASCII)


@dataclass(frozen=True)
class FileTensor:
    """A tensor as a safetensors header describes it."""

    name: str
    file: Path
    shape: tuple[int, ...]
    dtype: str
    nbytes: int


def find_shards(folder: Path, stem: str) -> list[Path]:
    """The files of a checkpoint named `stem.safetensors`, or its shards by index or by number.

    Raises:
        CheckpointError: there are none, or one is missing.
    """
    index = folder / f"{stem}.safetensors.index.json"
    single = folder / f"{stem}.safetensors"
    if index.is_file():
        names = _names_in_index(index)
    elif single.is_file():
        return [single]
    else:
        names = _names_by_number(folder, stem)
    if not names:
        raise CheckpointError(f"{folder}: has no {stem}.safetensors; download the model again")
    present = {file.name for file in folder.glob("*.safetensors") if file.is_file()}
    for name in names:
        if name not in present:
            raise CheckpointError(f"{folder}: the shard '{name}' is missing; download the model again")
    return [folder / name for name in names]


def read_headers(files: Iterable[Path]) -> dict[str, FileTensor]:
    """The tensors of all files, by their stored names.

    Raises:
        CheckpointError: a file is no safetensors file, is cut short, or a name occurs twice.
    """
    tensors: dict[str, FileTensor] = {}
    for file in files:
        with _open(file, "numpy") as handle:
            for name in handle.keys():  # noqa: SIM118 (a safetensors handle is no mapping)
                if name in tensors:
                    raise CheckpointError(f"{file}: the tensor '{name}' is also in {tensors[name].file.name}")
                part = handle.get_slice(name)
                shape, dtype = tuple(part.get_shape()), str(part.get_dtype())
                tensors[name] = FileTensor(name, file, shape, dtype, prod(shape) * _DTYPE_BYTES.get(dtype, 1))
    return tensors


@dataclass
class TensorReader:
    """Reads tensors out of safetensors files, each file opened once."""

    handles: dict[Path, Any] = field(default_factory=dict)

    def read(self, file: Path, name: str) -> Tensor:
        """The tensor `name` of `file`, memory-mapped."""
        if file not in self.handles:
            self.handles[file] = _open(file, "pt")
        tensor: Tensor = self.handles[file].get_tensor(name)
        return tensor


def _open(file: Path, framework: str) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(file, framework=framework)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{file}: is no safetensors file, or is cut short or damaged; download it again"
        ) from error


def _names_in_index(index: Path) -> list[str]:
    weight_map = read_json_table(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise CheckpointError(f"{index}: has no table 'weight_map' of file names; download it again")
    names = sorted(set(weight_map.values()))
    for name in names:
        # The index comes from outside: it may name files of its own folder only.
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise CheckpointError(f"{index}: names the file '{name}', which is no safetensors file beside it")
    return names


def _names_by_number(folder: Path, stem: str) -> list[str]:
    """All names of the numbered series of which at least one file is there."""
    matches = [_SHARD.search(file.name) for file in folder.glob(f"{stem}-*.safetensors")]
    counts = sorted({match.group(2) for match in matches if match})
    if len(counts) > 1:
        raise CheckpointError(
            f"{folder}: holds shards of several series (of {', of '.join(counts)}); keep the files of one download"
        )
    return [f"{stem}-{number:05}-of-{count}.safetensors" for count in counts for number in range(1, int(count) + 1)]
