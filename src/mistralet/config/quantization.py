"""`Quantization`: what `config.json` says of the weights of a quantised checkpoint (SPEC 2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mistralet.config.fields import Fields

_METHODS = ("compressed-tensors", "fp8", "gptq", "auto-round", "awq", "bitsandbytes")


class Rounding(StrEnum):
    """What a model's float weights may be rounded to while it is loaded."""

    FP8 = "fp8"
    INT4 = "int4"


@dataclass(frozen=True)
class Quantization:
    """How the matrices of a checkpoint are quantised, as far as their tensors do not tell it themselves."""

    method: str
    bits: int
    group_size: int | None = None  # weights that share a scale; None: not stated, or a whole row
    zeros_are_less_one: bool = False  # of GPTQ's first format: a zero point is stored as one less


def quantization_of(fields: Fields) -> Quantization | None:
    """The quantization that a `config.json` states; None if it states none.

    Raises:
        ConfigError: it is of a kind that is not supported.
    """
    if not fields.has("quantization_config"):
        return None
    table = fields.table("quantization_config")
    table.expect("quant_method", *_METHODS)
    method = table.values.get("quant_method")
    if method == "compressed-tensors":
        return _compressed_tensors(table)
    if method == "fp8":
        table.expect("activation_scheme", "static", "dynamic")
        return Quantization("fp8", 8)
    if method == "bitsandbytes":
        table.expect("bnb_4bit_quant_type", "nf4", why="of bitsandbytes' formats, only nf4 is supported")
        table.refuse("load_in_8bit", "of bitsandbytes' formats, only nf4 is supported")
        return Quantization("bitsandbytes", 4)
    if method is None:
        raise table.error("quant_method", "is missing")
    table.expect("bits", 4)
    group_size = table.values.get("group_size")
    group = None if group_size == -1 else table.integer("group_size")
    if method == "awq":
        table.expect("version", "gemm", "GEMM", why="AWQ's other packings are not supported")
        return Quantization("awq", 4, group)
    if method == "auto-round":
        table.expect("packing_format", "auto_round:auto_gptq", "auto_round:gptq")
    return Quantization("gptq", 4, group, zeros_are_less_one=table.values.get("checkpoint_format") != "gptq_v2")


def _compressed_tensors(table: Fields) -> Quantization:
    table.expect(
        "format", "float-quantized", "int-quantized", "naive-quantized", "pack-quantized", "mixed-precision", "dense"
    )
    groups = table.table("config_groups")
    bits: set[int] = set()
    sizes: set[Any] = set()
    for name in groups.values:
        weights = groups.table(name).table("weights")
        weights.expect("strategy", "channel", "tensor", "group", "block")
        weights.expect("type", "float", "int")
        weights.expect("dynamic", False)
        bits.add(weights.integer("num_bits"))
        sizes.add(weights.integer("group_size") if weights.has("group_size") else None)
    if len(bits) != 1 or len(sizes) != 1:
        raise table.error("config_groups", "states several kinds of weights; one kind is supported")
    (size,) = sizes
    (width,) = bits
    if width not in (4, 8):
        raise table.error("config_groups", f"states weights of {width} bits; 4 and 8 are supported")
    return Quantization("compressed-tensors", width, size)
