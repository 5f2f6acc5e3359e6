"""Matrices that lie one after another in memory, so that one product serves them all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from mistralet.quant import PackedTensor, QuantizedTensor, ScaledTensor, join_rows

Matrix = Tensor | QuantizedTensor | ScaledTensor | PackedTensor


def lay_together(weights: Sequence[Matrix]) -> list[Matrix]:
    """The same matrices as rows of one, where they are of one kind; else as they are."""
    ends = list(accumulate(weight.shape[0] for weight in weights))
    rows = [slice(end - weight.shape[0], end) for weight, end in zip(weights, ends, strict=True)]
    tensors = [weight for weight in weights if isinstance(weight, Tensor)]
    scaled = [weight for weight in weights if isinstance(weight, ScaledTensor)]
    if weights and len(tensors) == len(weights) and _are_alike(tensors):
        whole = torch.cat(tensors)
        return [whole[each] for each in rows]
    if weights and len(scaled) == len(weights) and _are_of_one_kind(scaled):
        joined = join_rows(scaled)
        return [joined.select(each) for each in rows]
    return list(weights)


def together(weights: Sequence[Matrix]) -> Matrix | None:
    """The one matrix whose rows these are, in their order; None if they lie apart."""
    if all(isinstance(weight, Tensor) for weight in weights):
        return _whole([weight for weight in weights if isinstance(weight, Tensor)])
    scaled = [weight for weight in weights if isinstance(weight, ScaledTensor)]
    if len(scaled) < len(weights) or not _are_of_one_kind(scaled):
        return None
    codes, scales = _whole([weight.codes for weight in scaled]), _whole([weight.scales for weight in scaled])
    offsets = [weight.offsets for weight in scaled if weight.offsets is not None]
    whole_offsets = _whole(offsets) if offsets else None
    if codes is None or scales is None or (offsets and whole_offsets is None):
        return None
    return ScaledTensor(scaled[0].encoding, codes, scales, whole_offsets)


def _are_of_one_kind(weights: Sequence[ScaledTensor]) -> bool:
    kinds = {(weight.encoding, weight.group_size, weight.offsets is None, weight.order is None) for weight in weights}
    if len(kinds) != 1 or weights[0].order is not None:
        return False
    offsets = [weight.offsets for weight in weights if weight.offsets is not None]
    parts = ([weight.codes for weight in weights], [weight.scales for weight in weights], offsets)
    return all(_are_alike(tensors) for tensors in parts)


def _are_alike(tensors: Sequence[Tensor]) -> bool:
    return len({(tensor.dtype, tensor.device, tensor.shape[1]) for tensor in tensors}) <= 1


def _whole(tensors: Sequence[Tensor]) -> Tensor | None:
    first = tensors[0]
    end = first.data_ptr()
    for tensor in tensors:
        same = tensor.untyped_storage().data_ptr() == first.untyped_storage().data_ptr()
        alike = tensor.dtype == first.dtype and tensor.shape[1] == first.shape[1]
        if not (same and alike and tensor.is_contiguous() and tensor.data_ptr() == end):
            return None
        end += tensor.nbytes
    rows, columns = sum(len(tensor) for tensor in tensors), first.shape[1]
    return torch.as_strided(first, (rows, columns), (columns, 1))
