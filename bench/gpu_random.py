"""Models with random weights, made on the device they run on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

import torch
from torch import Tensor

from mistralet.config import ModelConfig, is_layer_matrix, part_of, tensor_shapes
from mistralet.engine.load import lay_together
from mistralet.model import MistralSmall
from mistralet.model.layers import Weight
from mistralet.quant import Encoding, ScaledTensor

FORMATS = ("bf16", "fp8", "int4")
_INT4_GROUP = 64  # as `quant.rounding` has it
# Of a weight in a layer's matrix; each group in int4 has a scale and an offset of 16 bits.
_BYTES = {"bf16": Fraction(2), "fp8": Fraction(1), "int4": Fraction(1, 2) + Fraction(4, _INT4_GROUP)}


def random_text(config: ModelConfig, name: str, device: torch.device) -> MistralSmall:
    """The text decoder as it is loaded to a GPU: matrices of its layers in a format, the rest in bfloat16."""
    model = MistralSmall(replace(config, vision=None))
    model.dtype = torch.bfloat16
    for path, module in model.named_modules():
        if isinstance(module, Weight):
            shape = tuple(module.weight.shape)
            if name != "bf16" and is_layer_matrix(path, shape):
                module.set_weight(random_scaled(name, shape[0], shape[1], device))
            else:
                module.set_weight(random_dense(shape, device))
    lay_together(model)
    return model


def random_vision(config: ModelConfig, device: torch.device) -> MistralSmall:
    """Encoder of pictures and projector in bfloat16; the text decoder has no weights."""
    model = MistralSmall(config)
    model.dtype = torch.bfloat16
    for path, module in model.named_modules():
        if isinstance(module, Weight) and part_of(f"{path}.weight") != "text":
            module.set_weight(random_dense(tuple(module.weight.shape), device))
    return model


def text_bytes(config: ModelConfig, name: str) -> int:
    """What the text decoder takes in a format."""
    shapes = tensor_shapes(replace(config, vision=None)).items()
    return int(sum(prod(shape) * (_BYTES[name] if is_layer_matrix(weight, shape) else 2) for weight, shape in shapes))


def random_dense(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Small weights in bfloat16; norms, which have one dimension, around one."""
    weight = torch.empty(shape, device=device, dtype=torch.bfloat16)
    return weight.normal_(mean=1.0 if len(shape) == 1 else 0.0, std=0.02)


def random_scaled(name: str, rows: int, columns: int, device: torch.device) -> ScaledTensor:
    """A matrix of random codes, with scales that keep its weights small."""
    if name == "fp8":
        codes = torch.randn(rows, columns, device=device, dtype=torch.bfloat16).to(torch.float8_e4m3fn)
        return ScaledTensor(Encoding.FP8, codes, torch.full((rows, 1), 0.02, device=device))
    packed = torch.randint(0, 256, (rows, columns // 2), device=device, dtype=torch.uint8)
    shape = (rows, columns // _INT4_GROUP)
    scales = torch.full(shape, 0.005, device=device, dtype=torch.float16)
    return ScaledTensor(Encoding.INT4, packed, scales, torch.zeros(shape, device=device, dtype=torch.float16))
