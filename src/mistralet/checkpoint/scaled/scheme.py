"""`Scheme`: one kind of quantised matrix, and what reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mistralet.checkpoint.safetensors_file import FileTensor
from mistralet.config.quantization import Quantization

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import ScaledTensor

Parts = Mapping[str, FileTensor]  # by suffix: what follows the module's name
Shape = tuple[int, ...]  # rows and columns, in weights


@dataclass(frozen=True)
class Scheme:
    """A kind of quantised matrix."""

    name: str  # as a tensor's type is told
    codes: str  # suffix of the part that holds the codes
    dtype: str  # of that part
    needs: frozenset[str]  # suffixes of which one at least is there, too
    shape: Callable[[Parts, Shape], Shape]  # takes the shape that the configuration implies, too
    assemble: Callable[[Mapping[str, Tensor], Shape, Quantization], ScaledTensor]  # raises ValueError if they don't fit

    def fits(self, parts: Parts) -> bool:
        """Whether these are the parts of such a matrix."""
        codes = parts.get(self.codes)
        return codes is not None and codes.dtype == self.dtype and bool(self.needs & parts.keys())


def by_row(scales: Tensor, rows: int) -> Tensor:
    """Scales as `[rows, groups]`: one for the whole matrix, one for each row, or as they are.

    Raises:
        ValueError: they are none of these.
    """
    if scales.numel() == 1:
        return scales.reshape(1, 1).expand(rows, 1).contiguous()
    if scales.numel() % rows:
        raise ValueError("scales do not fit the rows of the matrix")
    return scales.reshape(rows, -1)
