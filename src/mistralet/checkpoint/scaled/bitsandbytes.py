"""bitsandbytes' NF4: codes two in a byte, the first in the high half, and scales that may be quantised themselves.

Dettmers et al. 2023, "QLoRA": blocks of 64 weights have a scale each (`absmax`); 256 scales are stored as bytes, whose
values a table names (`nested_quant_map`), times a scale of theirs, plus a mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

from mistralet.checkpoint.scaled.scheme import Parts, Scheme, Shape
from mistralet.config.quantization import Quantization

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import ScaledTensor

_STATE = ".weight.quant_state.bitsandbytes__nf4"
_LONGEST_STATE = 4096  # bytes


def _shape(parts: Parts, expected: Shape) -> Shape:
    codes = prod(parts[".weight"].shape)  # the matrix is stored as one column
    return expected if 2 * codes == prod(expected) else (2 * codes,)


def _assemble(parts: Mapping[str, Tensor], shape: Shape, _quantization: Quantization) -> ScaledTensor:
    import torch

    from mistralet.quant import NF4_VALUES, Encoding, ScaledTensor

    rows, columns = shape
    state = json.loads(bytes(parts[_STATE][:_LONGEST_STATE].tolist()))
    if not torch.allclose(parts[".weight.quant_map"].to(torch.float32), torch.tensor(NF4_VALUES), atol=1e-6):
        raise ValueError("codes have other values than NF4's")
    scales = parts[".weight.absmax"].flatten()
    if ".weight.nested_absmax" in parts:
        outer = parts[".weight.nested_absmax"].to(torch.float32).repeat_interleave(int(state["nested_blocksize"]))
        inner = parts[".weight.nested_quant_map"].to(torch.float32)[scales.to(torch.int64)]
        scales = inner * outer[: len(inner)] + float(state["nested_offset"])
    if columns % int(state["blocksize"]):
        raise ValueError("blocks reach over the ends of rows")
    codes = parts[".weight"].view(rows, columns // 2)
    swapped = codes >> 4 | codes << 4
    return ScaledTensor(Encoding.NF4, swapped, scales.view(rows, columns // int(state["blocksize"])))


NF4 = Scheme("NF4", ".weight", "U8", frozenset({_STATE}), _shape, _assemble)
