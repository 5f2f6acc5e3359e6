"""Hugging Face safetensors, in the prefix layouts of old and new transformers (SPEC 2.2)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mistralet.checkpoint.base import Checkpoint, StoredTensor
from mistralet.checkpoint.quantized_parts import QuantizedParts
from mistralet.checkpoint.safetensors_file import TensorReader, find_shards, read_headers
from mistralet.config import ModelConfig, config_from_hf, quantization_of
from mistralet.config.fields import Fields, read_json_table

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import ScaledTensor

# Stored names of either layout; what remains after the prefix is translated below.
_TEXT_PREFIXES = ("language_model.model.", "model.language_model.", "model.")
_HEADS = ("language_model.lm_head.weight", "lm_head.weight")
_VISION_PREFIXES = ("vision_tower.", "model.vision_tower.")
_PROJECTOR_PREFIXES = ("multi_modal_projector.", "model.multi_modal_projector.")

_LAYER_LEAVES = {
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "ffn_norm",
    "attention_norm": "attention_norm",
    "ffn_norm": "ffn_norm",
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "attention.q_proj": "attention.wq",
    "attention.k_proj": "attention.wk",
    "attention.v_proj": "attention.wv",
    "attention.o_proj": "attention.wo",
    "mlp.gate_proj": "feed_forward.w1",
    "mlp.down_proj": "feed_forward.w2",
    "mlp.up_proj": "feed_forward.w3",
    "feed_forward.gate_proj": "feed_forward.w1",
    "feed_forward.down_proj": "feed_forward.w2",
    "feed_forward.up_proj": "feed_forward.w3",
}
_TEXT_NAMES = {"embed_tokens.weight": "tok_embeddings.weight", "norm.weight": "norm.weight"}
_VISION_NAMES = {"patch_conv.weight", "ln_pre.weight"}
_PROJECTOR_NAMES = {
    "norm.weight": "pre_mm_projector_norm.weight",
    "patch_merger.merging_layer.weight": "patch_merger.merging_layer.weight",
    "linear_1.weight": "vision_language_adapter.w_in.weight",
    "linear_2.weight": "vision_language_adapter.w_out.weight",
}
_LAYER = re.compile(r"layers\.(\d+)\.(.+)\.weight")
_ROTARY = re.compile(r"(vision_encoder\.)?.*attention\.w([qk])\.weight")


def open_hf(folder: Path) -> Checkpoint:
    """Open a folder with `config.json` and `model*.safetensors`.

    Raises:
        ConfigError, CheckpointError: what is missing, damaged or contradictory.
    """
    config_file = folder / "config.json"
    values = read_json_table(config_file)
    config = config_from_hf(values, str(config_file))
    quantization = quantization_of(Fields(values, str(config_file)))
    headers = read_headers(find_shards(folder, "model"))
    if any(canonical_name(name) == "output.weight" for name in headers):
        # As in transformers: an output matrix in the file is used, whatever the configuration says.
        config = replace(config, tie_word_embeddings=False)
    quantized = QuantizedParts.among(headers, quantization, config, canonical_name)
    tensors = dict(quantized.tensors)
    unexpected: list[str] = []
    for stored_name, header in headers.items():
        if stored_name in quantized.names:
            continue
        name = canonical_name(stored_name)
        if name is None or name in tensors:
            unexpected.append(stored_name)
        else:
            tensors[name] = StoredTensor(name, stored_name, header.file, header.shape, header.dtype, header.nbytes)
    reader = TensorReader()

    def read(tensor: StoredTensor) -> Tensor | ScaledTensor:
        heads = _rotated_heads(tensor.name, config)
        if tensor.name in quantized.tensors:
            matrix = quantized.read(tensor, reader)
            return matrix if heads is None else matrix.select(_interleaved_rows(matrix.shape[0], heads))
        weight = reader.read(tensor.file, tensor.stored_name)
        return weight if heads is None else interleave_rotary_rows(weight, heads)

    return Checkpoint(folder, "huggingface", config, tensors, tuple(unexpected), read)


def canonical_name(stored_name: str) -> str | None:
    """The canonical name of a Hugging Face tensor, or None if it has no place in this architecture."""
    if stored_name in _HEADS:
        return "output.weight"
    leaf = _strip(stored_name, _VISION_PREFIXES)
    if leaf is not None:
        if leaf in _VISION_NAMES:
            return f"vision_encoder.{leaf}"
        layer = _layer_name(leaf.removeprefix("transformer."))
        return layer and f"vision_encoder.transformer.{layer}"
    leaf = _strip(stored_name, _PROJECTOR_PREFIXES)
    if leaf is not None:
        return _PROJECTOR_NAMES.get(leaf)
    leaf = _strip(stored_name, _TEXT_PREFIXES)
    return None if leaf is None else _TEXT_NAMES.get(leaf) or _layer_name(leaf)


def interleave_rotary_rows(weight: Tensor, heads: int) -> Tensor:
    """Rows of a query or key matrix, from half-split rotary pairs (j, j + head_dim / 2) to pairs (2 j, 2 j + 1).

    Args:
        weight: `[heads * head_dim, in_features]`.
    """
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _interleaved_rows(rows: int, heads: int) -> Tensor:
    import torch

    return interleave_rotary_rows(torch.arange(rows).unsqueeze(-1), heads).squeeze(-1)


def _rotated_heads(name: str, config: ModelConfig) -> int | None:
    """How many heads the rows of a query or key matrix form; None for any other tensor."""
    match = _ROTARY.fullmatch(name)
    if match is None:
        return None
    vision, kind = match.groups()
    if vision and config.vision is not None:
        return config.vision.num_attention_heads
    return config.num_attention_heads if kind == "q" else config.num_key_value_heads


def _strip(name: str, prefixes: tuple[str, ...]) -> str | None:
    return next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), None)


def _layer_name(leaf: str) -> str | None:
    match = _LAYER.fullmatch(leaf)
    translated = match and _LAYER_LEAVES.get(match.group(2))
    return f"layers.{match.group(1)}.{translated}.weight" if match and translated else None
