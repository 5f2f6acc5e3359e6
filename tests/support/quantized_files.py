"""Tiny checkpoints with quantised matrices, packed here by what is published of each format; not by our own code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from support.tiny_mistral import Reference, write_hf_new

GROUP = 16
Parts = dict[str, Tensor]  # by what follows the name of the module


def words(numbers: Tensor, order: tuple[int, ...] = tuple(range(8))) -> Tensor:
    """Numbers of 4 bits `[rows, columns]`, 8 in an int32 word; `order` says which of them lies at each place."""
    eights = numbers.to(torch.int64).unflatten(-1, (-1, 8))[..., list(order)]
    shifted = eights << torch.arange(0, 32, 4)
    return shifted.sum(-1).to(torch.int32)


def codes_and_scales(weight: Tensor, has_zeros: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Codes from 0 to 15 `[rows, columns]`, scales and zero points `[rows, groups]`, and the weights they stand for."""
    groups = weight.unflatten(-1, (-1, GROUP))
    if has_zeros:
        scales = ((groups.amax(-1) - groups.amin(-1)) / 15).half()
        zeros = (-groups.amin(-1) / scales.float()).round().clamp(1, 15)
    else:
        scales = (groups.abs().amax(-1) / 7).half()
        zeros = torch.full_like(scales, 8).float()
    numbers = (groups / scales.float().unsqueeze(-1) + zeros.unsqueeze(-1)).round().clamp(0, 15)
    meant = (numbers - zeros.unsqueeze(-1)) * scales.float().unsqueeze(-1)
    return numbers.flatten(-2), scales, zeros, meant.flatten(-2)


def pack_quantized(weight: Tensor, has_zeros: bool = False) -> tuple[Parts, Tensor]:
    numbers, scales, zeros, meant = codes_and_scales(weight, has_zeros)
    parts = {"weight_packed": words(numbers), "weight_scale": scales, "weight_shape": torch.tensor(weight.shape)}
    if has_zeros:
        parts["weight_zero_point"] = words(zeros.T.contiguous()).T.contiguous()
    return parts, meant


def gptq(weight: Tensor, has_zeros: bool = False, is_shuffled: bool = False, less: int = 1) -> tuple[Parts, Tensor]:
    columns = weight.shape[1]
    order = (
        torch.randperm(columns, generator=torch.Generator().manual_seed(1)) if is_shuffled else torch.arange(columns)
    )
    # Columns that share a group are neighbours only in this order.
    numbers, scales, zeros, meant = codes_and_scales(weight[:, order], has_zeros)
    back = order.argsort()
    parts = {
        "qweight": words(numbers[:, back]).T.contiguous(),
        "qzeros": words((zeros - less).T.contiguous()),
        "scales": scales.T.contiguous(),
        "g_idx": (torch.arange(columns) // GROUP)[back].to(torch.int32),
    }
    # `words` packs along the columns; GPTQ packs the input features, which `[out, in]` has there, too.
    return parts, meant[:, back]


def awq(weight: Tensor) -> tuple[Parts, Tensor]:
    numbers, scales, zeros, meant = codes_and_scales(weight, has_zeros=True)
    order = (0, 2, 4, 6, 1, 3, 5, 7)
    parts = {
        "qweight": words(numbers.T.contiguous(), order),
        "qzeros": words(zeros.T.contiguous(), order),
        "scales": scales.T.contiguous(),
    }
    return parts, meant


def fp8(weight: Tensor, suffix: str = "weight_scale", side: int | None = None) -> tuple[Parts, Tensor]:
    """With a scale for each row; with `weight_scale_inv` for the matrix, or for each block of `side` squared."""
    if side:
        blocks = weight.unflatten(0, (-1, side)).unflatten(-1, (-1, side))
        scales = (blocks.abs().amax((1, 3)) / 448).float()
        wide = scales.repeat_interleave(side, 0).repeat_interleave(side, 1)
    elif suffix == "weight_scale":
        wide = scales = (weight.abs().amax(-1, keepdim=True) / 448).bfloat16()
    else:
        wide = scales = (weight.abs().amax() / 448).float()
    codes = (weight / wide.float()).to(torch.float8_e4m3fn)
    return {"weight": codes, suffix: scales, "input_scale": torch.tensor(0.5)}, codes.float() * wide.float()


def int8(weight: Tensor) -> tuple[Parts, Tensor]:
    scales = (weight.abs().amax(-1, keepdim=True) / 127).bfloat16()
    codes = (weight / scales.float()).round().clamp(-127, 127).to(torch.int8)
    return {"weight": codes, "weight_scale": scales}, codes.float() * scales.float()


def compressed_config(bits: int, kind: str, form: str, group: int | None = None) -> dict[str, Any]:
    strategy = "group" if group else "channel"
    weights = {"num_bits": bits, "type": kind, "strategy": strategy, "group_size": group, "dynamic": False}
    groups = {"group_0": {"weights": weights, "targets": ["Linear"]}}
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": groups, "ignore": ["lm_head"]}


GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": GROUP, "sym": True, "desc_act": False}
KINDS: dict[str, tuple[dict[str, Any], Callable[[Tensor], tuple[Parts, Tensor]]]] = {
    "fp8-dynamic": (compressed_config(8, "float", "float-quantized"), fp8),
    "fp8-static": ({"quant_method": "fp8", "activation_scheme": "static"}, lambda w: fp8(w, "weight_scale_inv")),
    "fp8-blocks": ({"quant_method": "fp8", "weight_block_size": [16, 16]}, lambda w: fp8(w, "weight_scale_inv", 16)),
    "w8a8": (compressed_config(8, "int", "int-quantized"), int8),
    "w4a16": (compressed_config(4, "int", "pack-quantized", GROUP), pack_quantized),
    "w4a16-zeros": (compressed_config(4, "int", "pack-quantized", GROUP), lambda w: pack_quantized(w, has_zeros=True)),
    "gptq": (GPTQ, gptq),
    "gptq-zeros": (GPTQ, lambda w: gptq(w, has_zeros=True)),
    "gptq-v2": (GPTQ | {"checkpoint_format": "gptq_v2"}, lambda w: gptq(w, has_zeros=True, less=0)),
    "gptq-desc-act": (GPTQ | {"desc_act": True}, lambda w: gptq(w, is_shuffled=True)),
    "auto-round": (GPTQ | {"quant_method": "auto-round", "packing_format": "auto_round:auto_gptq"}, gptq),
    "awq": ({"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm", "zero_point": True}, awq),
}


def write_quantized(reference: Reference, folder: Path, kind: str) -> tuple[Path, Path]:
    """A checkpoint whose decoder layers are quantised, and one with the same weights as floats."""
    config, quantize = KINDS[kind]
    dense, quantized = write_hf_new(reference, folder / "dense"), write_hf_new(reference, folder / kind)
    meant, stored = load_file(dense / "model.safetensors"), {}
    for name, weight in list(meant.items()):
        if ".layers." in name and "vision" not in name and weight.dim() == 2:
            parts, meant[name] = quantize(weight)
            stored |= {f"{name.removesuffix('weight')}{suffix}": part.contiguous() for suffix, part in parts.items()}
            meant[name] = meant[name].contiguous()
        else:
            stored[name] = weight
    save_file(meant, dense / "model.safetensors")
    save_file(stored, quantized / "model.safetensors")
    table = json.loads((quantized / "config.json").read_text())
    (quantized / "config.json").write_text(json.dumps(table | {"quantization_config": config}))
    return quantized, dense
