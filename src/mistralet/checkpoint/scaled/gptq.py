"""GPTQ: `qweight` holds 8 codes of 4 bits down a column of input features in a word (SPEC 2.4).

`weight = (code - zero) * scale`; in the first format of checkpoints a zero point is stored as one less. `g_idx` names
the group of each input feature, in any order where the checkpoint was made with `desc_act`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mistralet.checkpoint.scaled.scheme import Parts, Scheme, Shape
from mistralet.checkpoint.scaled.words import unpacked
from mistralet.config.quantization import Quantization

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import ScaledTensor


def _shape(parts: Parts, _expected: Shape) -> Shape:
    words, rows = parts[".qweight"].shape
    return rows, 8 * words


def _assemble(parts: Mapping[str, Tensor], shape: Shape, quantization: Quantization) -> ScaledTensor:
    import torch

    from mistralet.quant import Encoding, ScaledTensor, pack_half_bytes

    rows, columns = shape
    numbers = unpacked(parts[".qweight"].T, 4)
    scales = parts[".scales"].T.contiguous()
    zeros = unpacked(parts[".qzeros"], 4).T.to(torch.int16)  # [rows, groups]
    if quantization.zeros_are_less_one:
        zeros = zeros + 1
    if scales.shape != zeros.shape or scales.shape[0] != rows or columns % scales.shape[1]:
        raise ValueError("scales and zero points do not fit the matrix")
    order = _order(parts.get(".g_idx"), columns // scales.shape[1])
    if order is not None:
        numbers = numbers[:, order]
    # The value of a code is the code less 8.
    offsets = None if bool((zeros == 8).all()) else (8 - zeros).to(torch.float32) * scales.to(torch.float32)
    return ScaledTensor(Encoding.INT4, pack_half_bytes(numbers), scales, offsets, order)


def _order(groups: Tensor | None, group_size: int) -> Tensor | None:
    """The columns by their groups; None if they lie so."""
    import torch

    if groups is None or torch.equal(groups, torch.arange(len(groups), dtype=groups.dtype) // group_size):
        return None
    order = groups.argsort(stable=True)
    if not torch.equal(groups[order], torch.arange(len(groups), dtype=groups.dtype) // group_size):
        raise ValueError("groups are not of equal size")
    return order


GPTQ = Scheme("INT4 (GPTQ)", ".qweight", "I32", frozenset({".scales"}), _shape, _assemble)
