"""From a model's path to a model that can run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from mistralet import ops
from mistralet.checkpoint import Checkpoint, StoredTensor, check, open_checkpoint
from mistralet.checkpoint.base import FLOAT_DTYPES, SCALED_DTYPES
from mistralet.checkpoint.sharding import sharded
from mistralet.config import Rounding, is_layer_matrix, part_of
from mistralet.engine.device import AUTO, choose_device
from mistralet.engine.packed_file import Progress, packed_matrices
from mistralet.errors import UsageError
from mistralet.files import file_states
from mistralet.model import ALONE, MistralSmall, Shard
from mistralet.model.layers import Attention, FeedForward, Linear, Weight
from mistralet.native import kernels
from mistralet.quant import (
    Encoding,
    PackedTensor,
    QuantizedTensor,
    ScaledTensor,
    as_blocks,
    block_format_of,
    pack,
    round_weight,
    scaled,
)
from mistralet.tokenizer import Tokenizer, tokenizer_from_folder, tokenizer_from_gguf

Made = TypeVar("Made")

_EMBEDDING = "tok_embeddings.weight"
_CPU = torch.device("cpu")
# Matrices on their way to a GPU at once: while some come from the disk, others go over the bus.
_READERS = 4


@dataclass(frozen=True)
class LoadedModel:
    """A model with its tokenizer, ready for an engine."""

    checkpoint: Checkpoint
    model: MistralSmall
    tokenizer: Tokenizer
    rounding: Rounding | None = None  # what was rounded while it was loaded

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.model.norm.weight.device

    @cached_property
    def identity(self) -> str:
        """A name that no other model, and no other state of this one's files, has."""
        states = file_states(tensor.file for tensor in self.checkpoint.tensors.values())
        return hashlib.sha256(json.dumps([*states, *([self.rounding] if self.rounding else [])]).encode()).hexdigest()


def load(
    path: Path,
    device: str = AUTO,
    progress: Progress | None = None,
    round_vision: bool = True,
    rounding: Rounding | None = None,
    shard: Shard = ALONE,
) -> LoadedModel:
    """Load the model and the tokenizer at `path`.

    On a CPU, float weights stay memory-mapped; quantised matrices are packed for the native kernels, if there are any,
    and stay memory-mapped otherwise.

    Args:
        device: see `choose_device`.
        progress: see `load_weights`.
        round_vision: see `load_weights`; False computes pictures in float32, at half the speed.
        rounding: what the text decoder's matrices are rounded to if they are float; see `rounded`.
        shard: which part of the model is loaded.

    Raises:
        ConfigError, CheckpointError, TokenizerError: what is missing, damaged or contradictory.
        UsageError: there is no such device, or what is to be rounded is quantised already.
    """
    checkpoint = open_checkpoint(path)
    check(checkpoint)
    place = choose_device(device, checkpoint, rounding, shard.size)
    if place.type == "cuda":
        torch.cuda.set_device(place)  # which kernels are launched on
    tokenizer = load_tokenizer(checkpoint)
    if rounding is not None:
        checkpoint = rounded(checkpoint, rounding, place)
    model = load_weights(checkpoint, place, progress=progress, round_vision=round_vision, shard=shard)
    return LoadedModel(checkpoint, model, tokenizer, rounding)


def rounded(checkpoint: Checkpoint, rounding: Rounding, device: torch.device = _CPU) -> Checkpoint:
    """A checkpoint whose float matrices are rounded on a device as they are read, a few at a time.

    Those of the decoder's layers, as in published FP8 and 4-bit checkpoints: embedding, output and vision stay as they
    are.

    Raises:
        UsageError: there are none: the checkpoint is quantised already.
    """
    if not any(
        is_layer_matrix(tensor.name, tensor.shape) and tensor.dtype in FLOAT_DTYPES
        for tensor in checkpoint.tensors.values()
    ):
        raise UsageError(f"{checkpoint.path}: its weights are quantised already; leave out --quantization.")

    def read(tensor: StoredTensor) -> Tensor | QuantizedTensor | ScaledTensor:
        weight = checkpoint.read_stored(tensor)
        if is_layer_matrix(tensor.name, tensor.shape) and isinstance(weight, Tensor):
            return round_weight(weight.to(device), rounding)
        return weight

    return replace(checkpoint, read_stored=read)


def load_tokenizer(checkpoint: Checkpoint) -> Tokenizer:
    """The tokenizer that belongs to a checkpoint: inside a GGUF file, beside any other."""
    if checkpoint.format == "gguf":
        return tokenizer_from_gguf(checkpoint.metadata, str(checkpoint.path), checkpoint.config.vision)
    return tokenizer_from_folder(checkpoint.path)


def load_weights(
    checkpoint: Checkpoint,
    device: torch.device,
    dtype: torch.dtype | None = None,
    use_native: bool = True,
    progress: Progress | None = None,
    round_vision: bool = False,
    shard: Shard = ALONE,
) -> MistralSmall:
    """Build the model and give it the weights of a sound checkpoint (see `check`).

    Args:
        dtype: of activations; bfloat16 on a GPU, or if all weights are and the native kernels are not used; else
            float32.
        use_native: pack quantised matrices for the native kernels, where there are any and the device is a CPU. They
            take float32 activations, which is more exact than bfloat16, and faster.
        progress: called with the bytes done and all bytes; while matrices of a GGUF file are packed for the native
            kernels, first of the text decoder's, then of those of encoder and projector of pictures.
        round_vision: round float matrices of encoder and projector to 8 bits (Q8_0) for the native kernels. Features
            keep a cosine above 0.999 to those in float32.
        shard: which part of the model is loaded; float encoders of pictures stay float then.

    Raises:
        UsageError: the model, or a quantised matrix of it, cannot be split so.
    """
    model = MistralSmall(checkpoint.config, shard)
    if shard.size > 1:
        checkpoint = sharded(checkpoint, shard.rank, shard.size)
    native = use_native and kernels is not None and device.type == "cpu"
    model.dtype = dtype or (torch.float32 if native else _activation_dtype(checkpoint, device))
    modules = {f"{name}.weight": module for name, module in model.named_modules() if isinstance(module, Weight)}
    packed: dict[str, PackedTensor] = {}
    if native and shard.size == 1:
        names = [name for name in checkpoint.tensors if isinstance(modules[name], Linear)]
        names += [_EMBEDDING] * checkpoint.config.tie_word_embeddings
        text, vision = ([name for name in names if (part_of(name) == "text") == is_text] for is_text in (True, False))
        if checkpoint.format == "gguf":  # only these hold matrices as the kernels pack them
            packed = packed_matrices(checkpoint, text, progress)
        packed |= packed_matrices(checkpoint, vision, progress, rounded=round_vision)
    # An embedding is looked up row by row, as it lies; only as an output matrix it is packed.
    tied_output = packed.pop(_EMBEDDING, None)

    def prepared(name: str) -> Tensor | QuantizedTensor | ScaledTensor | PackedTensor:
        packs = native and isinstance(modules[name], Linear)
        return packed.get(name) or _prepared(checkpoint.read(name), model.dtype, device, packs)

    done = 0
    for name, weight in _each(prepared, checkpoint.tensors, 1 if device.type == "cpu" else _READERS):
        modules[name].set_weight(weight)
        done += checkpoint.tensors[name].nbytes
        if progress is not None and not (native and checkpoint.format == "gguf"):
            progress(done, checkpoint.nbytes)
    if checkpoint.config.tie_word_embeddings:
        model.output.set_weight(tied_output or model.tok_embeddings.weight)
    if device.type == "cuda":
        lay_together(model)
    return model


def lay_together(model: MistralSmall) -> None:
    """Put matrices that read the same activations side by side in memory, so that a GPU multiplies them at once."""
    for module in model.modules():
        group: list[Linear] = []
        if isinstance(module, Attention):
            group = [module.wq, module.wk, module.wv]
        elif isinstance(module, FeedForward):
            group = [module.w1, module.w3]
        for linear, weight in zip(group, ops.lay_together([linear.weight for linear in group]), strict=True):
            linear.set_weight(weight)


def _each(function: Callable[[str], Made], names: Iterable[str], at_once: int) -> Iterator[tuple[str, Made]]:
    """What a function makes of each name, in their order, by so many threads."""
    if at_once == 1:
        yield from ((name, function(name)) for name in names)
        return
    with ThreadPoolExecutor(at_once) as pool:
        yield from zip(names, pool.map(function, names), strict=True)


def _activation_dtype(checkpoint: Checkpoint, device: torch.device) -> torch.dtype:
    dtypes = {tensor.dtype for tensor in checkpoint.tensors.values()} - {*SCALED_DTYPES}
    return torch.bfloat16 if device.type == "cuda" or dtypes == {"BF16"} else torch.float32


def _prepared(
    weight: Tensor | QuantizedTensor | ScaledTensor, dtype: torch.dtype, device: torch.device, packs: bool
) -> Tensor | QuantizedTensor | ScaledTensor | PackedTensor:
    if isinstance(weight, Tensor):
        # Norm weights multiply activations directly; on a CPU matrices keep their own type, `ops.linear` converts them.
        return weight.to(device) if weight.dim() > 1 and device.type == "cpu" else weight.to(device, dtype)
    if packs and isinstance(weight, ScaledTensor) and block_format_of(weight) is not None:
        return pack(as_blocks(weight))
    if packs and isinstance(weight, QuantizedTensor):
        return pack(weight)
    if packs and isinstance(weight, ScaledTensor) and weight.encoding is Encoding.FP8:
        return replace(weight, scales=weight.scales.to(torch.float32).contiguous())  # as the kernels read them
    if isinstance(weight, QuantizedTensor) and device.type == "cuda":
        return scaled(weight.to(device)).with_half_scales()
    return weight.to(device)
