"""`sharded`: a checkpoint of which only the part of one process is read (see `model.shard`)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from mistralet.checkpoint.base import Checkpoint, StoredTensor
from mistralet.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import QuantizedTensor, ScaledTensor

_BY_ROWS = re.compile(r"(output|tok_embeddings|.*layers\.\d+\.(attention\.w[qkv]|feed_forward\.w[13]))\.weight")
_BY_COLUMNS = re.compile(r".*layers\.\d+\.(attention\.wo|feed_forward\.w2)\.weight")


def sharded(checkpoint: Checkpoint, rank: int, size: int) -> Checkpoint:
    """The part of a checkpoint that process `rank` of `size` has."""
    from torch import Tensor

    def read(tensor: StoredTensor) -> Tensor | QuantizedTensor | ScaledTensor:
        weight = checkpoint.read_stored(tensor)
        if _BY_ROWS.fullmatch(tensor.name):
            rows = weight.shape[0] // size
            part = slice(rank * rows, (rank + 1) * rows)
            return weight[part] if isinstance(weight, Tensor) else weight.select(part)
        if _BY_COLUMNS.fullmatch(tensor.name):
            columns = weight.shape[1] // size
            return _columns(weight, rank * columns, columns, f"{checkpoint.path}: '{tensor.stored_name}'")
        return weight

    return replace(checkpoint, read_stored=read)


def _columns(
    weight: Tensor | QuantizedTensor | ScaledTensor, start: int, count: int, source: str
) -> Tensor | QuantizedTensor | ScaledTensor:
    from torch import Tensor

    if isinstance(weight, Tensor):
        return weight[:, start : start + count].contiguous()
    part = weight.select_columns(start, count)
    if part is None:
        raise UsageError(f"{source} cannot be split there, for it is quantised in larger groups; take fewer processes.")
    return part
