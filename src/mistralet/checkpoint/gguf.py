"""GGUF: a text file and, for images, an mmproj file beside it (SPEC 2.3)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mistralet.checkpoint.base import Checkpoint, StoredTensor
from mistralet.checkpoint.gguf_file import GgufFile, GgufTensor, read_gguf
from mistralet.config import config_from_gguf
from mistralet.config.gguf import vision_from_mmproj
from mistralet.errors import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

    from mistralet.quant import QuantizedTensor

_TEXT_NAMES = {
    "token_embd.weight": "tok_embeddings.weight",
    "output_norm.weight": "norm.weight",
    "output.weight": "output.weight",
}
_VISION_NAMES = {
    "v.patch_embd.weight": "vision_encoder.patch_conv.weight",
    "v.pre_ln.weight": "vision_encoder.ln_pre.weight",
    "mm.input_norm.weight": "pre_mm_projector_norm.weight",
    "mm.patch_merger.weight": "patch_merger.merging_layer.weight",
    "mm.1.weight": "vision_language_adapter.w_in.weight",
    "mm.2.weight": "vision_language_adapter.w_out.weight",
}
_LAYER_LEAVES = {
    "attn_norm": "attention_norm",
    "ln1": "attention_norm",
    "attn_q": "attention.wq",
    "attn_k": "attention.wk",
    "attn_v": "attention.wv",
    "attn_output": "attention.wo",
    "attn_out": "attention.wo",
    "ffn_norm": "ffn_norm",
    "ln2": "ffn_norm",
    "ffn_gate": "feed_forward.w1",
    "ffn_down": "feed_forward.w2",
    "ffn_up": "feed_forward.w3",
}
# A copy of the text decoder's embedding of [IMG_BREAK], for programs that do not read both files.
_IGNORED = {"v.token_embd.img_break"}
_LAYER = re.compile(r"(v\.)?blk\.(\d+)\.(\w+)\.weight")
_SPLIT = re.compile(r"-\d{5}-of-\d{5}\.gguf$")


def open_gguf(path: Path, mmproj: Path | None = None) -> Checkpoint:
    """Open a GGUF file, and the mmproj file that gives it vision.

    Raises:
        ConfigError, CheckpointError: what is missing, damaged, unsupported or contradictory.
    """
    text = read_gguf(path)
    if _SPLIT.search(path.name) or text.metadata.get("split.count", 1) != 1:
        raise CheckpointError(f"{path}: is one part of a split GGUF; join the parts with 'llama-gguf-split --merge'")
    if text.metadata.get("general.architecture") == "clip":
        raise CheckpointError(f"{path}: holds only a vision encoder; name the text model's GGUF file beside it")
    files = {path: text}
    tied = "output.weight" not in text.tensors
    config = config_from_gguf(text.metadata, str(path), tied)
    if mmproj is not None:
        files[mmproj] = read_gguf(mmproj)
        vision = vision_from_mmproj(files[mmproj].metadata, str(mmproj), config.hidden_size)
        config = config_from_gguf(text.metadata, str(path), tied, vision)
    tensors: dict[str, StoredTensor] = {}
    unexpected: list[str] = []
    for file in files.values():
        for stored in file.tensors.values():
            name = canonical_name(stored.name)
            if name is None or name in tensors:
                unexpected += [] if stored.name in _IGNORED else [stored.name]
            else:
                tensors[name] = StoredTensor(
                    name, stored.name, file.path, stored.shape, stored.type.name, stored.nbytes
                )
    return Checkpoint(
        path,
        "gguf",
        config,
        tensors,
        tuple(unexpected),
        lambda tensor: read_tensor(files[tensor.file], files[tensor.file].tensors[tensor.stored_name]),
        text.metadata,
    )


def canonical_name(stored_name: str) -> str | None:
    """The canonical name of a GGUF tensor, or None if it has no place in this architecture."""
    name = _TEXT_NAMES.get(stored_name) or _VISION_NAMES.get(stored_name)
    match = _LAYER.fullmatch(stored_name)
    if match is None:
        return name
    vision, layer, leaf = match.groups()
    translated = _LAYER_LEAVES.get(leaf)
    prefix = "vision_encoder.transformer.layers." if vision else "layers."
    return translated and f"{prefix}{layer}.{translated}.weight"


def read_tensor(file: GgufFile, stored: GgufTensor) -> Tensor | QuantizedTensor:
    """One tensor of a GGUF file, memory-mapped: dense where its type is a float type, packed otherwise."""
    import torch

    from mistralet.quant import FORMATS, QuantizedTensor

    dense = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}.get(stored.type.name)
    count = stored.nbytes if dense is None else stored.nbytes // dense.itemsize
    flat = torch.frombuffer(file.buffer, dtype=dense or torch.uint8, count=count, offset=stored.offset)
    if dense is not None:
        return flat.view(stored.shape)
    return QuantizedTensor(FORMATS[stored.type.name], flat.view(stored.shape[0], -1), stored.shape[-1])
