"""Makes `quantized.safetensors`: matrices as compressed-tensors and bitsandbytes store them, and what they mean by it.

Needs `pip install compressed-tensors bitsandbytes`; the file here was made with 0.20.0 and 0.50.2. For each kind the
parts are called `kind/suffix`, and the weights that the library gives back `kind/expected`.
"""

from __future__ import annotations

from pathlib import Path

import bitsandbytes.functional as bnb
import torch
from compressed_tensors.compressors.naive_quantized.base import NaiveQuantizationCompressor
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import save_file
from torch import Tensor

ROWS, COLUMNS, GROUP = 16, 64, 32


def compressed(weight: Tensor, bits: int, kind: str, group: int | None, symmetric: bool = True) -> dict[str, Tensor]:
    """The parts of a matrix, and what is read back from them."""
    args = QuantizationArgs(
        num_bits=bits,
        type=kind,
        strategy="group" if group else "channel",
        group_size=group,
        symmetric=symmetric,
    )
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    groups = weight.unflatten(-1, (-1, group or COLUMNS))
    largest = 448.0 if kind == "float" else (1 << bits - 1) - 1
    parts = {"weight": weight}
    if symmetric:
        parts["weight_scale"] = (groups.abs().amax(-1) / largest).to(torch.bfloat16)
    else:
        scale = ((groups.amax(-1) - groups.amin(-1)) / 15).to(torch.bfloat16)
        parts["weight_scale"] = scale
        parts["weight_zero_point"] = (-8 - groups.amin(-1) / scale.float()).round().clamp(-8, 7).to(torch.int8)
    compressor = PackedQuantizationCompressor if kind == "int" and group else NaiveQuantizationCompressor
    stored = compressor.compress(parts, scheme)
    return {**stored, "expected": compressor.decompress(stored, scheme)["weight"].float()}


def nf4(weight: Tensor, nested: bool) -> dict[str, Tensor]:
    """The parts of a matrix in NF4."""
    codes, state = bnb.quantize_4bit(weight, blocksize=64, compress_statistics=nested, quant_type="nf4")
    parts = {"weight": codes, **{f"weight.{name}": value for name, value in state.as_dict(packed=True).items()}}
    return {**parts, "expected": bnb.dequantize_4bit(codes, state).float()}


def main() -> None:
    weight = torch.randn(ROWS, COLUMNS, generator=torch.Generator().manual_seed(0)) * 0.05
    kinds = {
        "fp8": compressed(weight, 8, "float", None),
        "w8a8": compressed(weight, 8, "int", None),
        "w4a16": compressed(weight, 4, "int", GROUP),
        "w4a16-asymmetric": compressed(weight, 4, "int", GROUP, symmetric=False),
        "w8a16": compressed(weight, 8, "int", GROUP),
        "nf4": nf4(weight, nested=False),
        "nf4-nested": nf4(weight.repeat(32, 1), nested=True),
    }
    tensors = {f"{kind}/{name}": t.contiguous() for kind, parts in kinds.items() for name, t in parts.items()}
    save_file(tensors, Path(__file__).with_name("quantized.safetensors"))


if __name__ == "__main__":
    main()
