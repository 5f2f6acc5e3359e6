"""The stand-in's real weights as floats, widened so that every weight format can hold them, and written in any.

K formats need rows of a multiple of 256 weights; the stand-in's are of 576. Zeros are added in a way that changes no
score: the new features are zero from the embedding on, the new heads and their values are zero, and the norms, which
divide by the number of features, are corrected for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from torch import Tensor

from bench.gguf_shape import add_shape
from bench.quality_formats import stored_bytes
from mistralet.checkpoint import Checkpoint
from mistralet.checkpoint.ggml_types import GGML_TYPES
from mistralet.config import ModelConfig, tensor_shapes

BLOCK = 256  # weights that no row of any format cuts
_TOKENIZER_PREFIX = "tokenizer.ggml."
_PER_TOKEN = {f"{_TOKENIZER_PREFIX}{key}" for key in ("tokens", "token_type", "scores")}
_TYPES = {ggml_type.name: ggml_type for ggml_type in GGML_TYPES.values()}


@dataclass(frozen=True)
class FloatModel:
    """A text model whose weights are all in memory."""

    config: ModelConfig
    weights: Mapping[str, Tensor]  # float32, by canonical name
    stored_names: Mapping[str, str]  # in a GGUF file, by canonical name
    vocabulary: Mapping[str, Any]  # the keys "tokenizer.ggml.*" without that prefix


def float_model(checkpoint: Checkpoint, layers: int | None = None, vocab_size: int | None = None) -> FloatModel:
    """The text model of a GGUF checkpoint, or its first `layers` with the first `vocab_size` tokens."""
    config = replace(
        checkpoint.config,
        num_hidden_layers=layers or checkpoint.config.num_hidden_layers,
        vocab_size=vocab_size or checkpoint.config.vocab_size,
    )
    weights = {}
    for name, shape in tensor_shapes(config).items():
        stored = checkpoint.read(name)
        if not isinstance(stored, Tensor):
            weights[name] = stored.select(slice(shape[0])).dequantize()
        else:
            weights[name] = stored[: shape[0]].float()
    vocabulary = {
        key.removeprefix(_TOKENIZER_PREFIX): value[: config.vocab_size] if key in _PER_TOKEN else value
        for key, value in checkpoint.metadata.items()
        if key.startswith(_TOKENIZER_PREFIX)
    }
    return FloatModel(config, weights, {name: checkpoint.tensors[name].stored_name for name in weights}, vocabulary)


def widen(model: FloatModel) -> FloatModel:
    """The same model with rows of whole blocks of 256: its scores differ by the rounding of floats alone."""
    old = model.config
    group = old.num_attention_heads // old.num_key_value_heads
    kv_heads = old.num_key_value_heads
    while kv_heads * group * old.head_dim % BLOCK:
        kv_heads += 1
    hidden_size = _whole_blocks(old.hidden_size)
    # The mean square over more features is smaller by this: eps must be, too, and the weights make up for it.
    share = old.hidden_size / hidden_size
    config = replace(
        old,
        hidden_size=hidden_size,
        intermediate_size=_whole_blocks(old.intermediate_size),
        num_attention_heads=kv_heads * group,
        num_key_value_heads=kv_heads,
        rms_norm_eps=old.rms_norm_eps * share,
    )
    weights = {}
    for name, shape in tensor_shapes(config).items():
        weight = model.weights[name]
        weights[name] = torch.zeros(shape)
        weights[name][tuple(map(slice, weight.shape))] = weight * share**0.5 if weight.dim() == 1 else weight
    return replace(model, config=config, weights=weights)


def write_gguf(model: FloatModel, path: Path, weight_format: str) -> None:
    """Write a model with every matrix in `weight_format`; norms are float32, as in every GGUF file."""
    formats = {name: weight_format if weight.dim() == 2 else "F32" for name, weight in model.weights.items()}
    writer = GGUFWriter(path, "llama")
    try:
        _add_metadata(writer, model)
        for name, weight in model.weights.items():
            stored = _TYPES[formats[name]]
            nbytes = prod(weight.shape) // stored.block_size * stored.block_bytes
            # A type other than uint8 says that the shape counts weights, not bytes.
            raw_dtype = GGMLQuantizationType[stored.name]
            writer.add_tensor_info(
                model.stored_names[name], tuple(weight.shape), np.dtype(np.float32), nbytes, raw_dtype=raw_dtype
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for name, weight in model.weights.items():
            writer.write_tensor_data(stored_bytes(weight, formats[name]))
        writer.flush()
    finally:
        writer.close()


def _add_metadata(writer: GGUFWriter, model: FloatModel) -> None:
    config = model.config
    writer.add_quantization_version(2)
    add_shape(writer, config)
    adders: dict[type, Callable[[str, Any], None]] = {
        str: writer.add_string,
        bool: writer.add_bool,
        int: writer.add_uint32,
        float: writer.add_float32,
        list: writer.add_array,
    }
    for key, value in model.vocabulary.items():
        adders[type(value)](f"{_TOKENIZER_PREFIX}{key}", value)


def _whole_blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
