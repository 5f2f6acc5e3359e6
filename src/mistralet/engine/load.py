"""From a model's path to a model that can run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from mistralet.checkpoint import Checkpoint, check, open_checkpoint
from mistralet.config import part_of
from mistralet.engine.packed_file import Progress, packed_matrices
from mistralet.files import file_states
from mistralet.model import MistralSmall
from mistralet.model.layers import Linear, Weight
from mistralet.native import kernels
from mistralet.quant import PackedTensor, QuantizedTensor
from mistralet.tokenizer import Tokenizer, tokenizer_from_folder, tokenizer_from_gguf

_EMBEDDING = "tok_embeddings.weight"


@dataclass(frozen=True)
class LoadedModel:
    """A model with its tokenizer, ready for an engine."""

    checkpoint: Checkpoint
    model: MistralSmall
    tokenizer: Tokenizer

    @cached_property
    def identity(self) -> str:
        """A name that no other model, and no other state of this one's files, has."""
        states = file_states(tensor.file for tensor in self.checkpoint.tensors.values())
        return hashlib.sha256(json.dumps(states).encode()).hexdigest()


def load(path: Path, device: str = "cpu", progress: Progress | None = None, round_vision: bool = True) -> LoadedModel:
    """Load the model and the tokenizer at `path`.

    On a CPU, float weights stay memory-mapped; quantised matrices are packed for the native kernels, if there are any,
    and stay memory-mapped otherwise.

    Args:
        progress: see `load_weights`.
        round_vision: see `load_weights`; False computes pictures in float32, at half the speed.

    Raises:
        ConfigError, CheckpointError, TokenizerError: what is missing, damaged or contradictory.
    """
    checkpoint = open_checkpoint(path)
    check(checkpoint)
    tokenizer = load_tokenizer(checkpoint)
    model = load_weights(checkpoint, torch.device(device), progress=progress, round_vision=round_vision)
    return LoadedModel(checkpoint, model, tokenizer)


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
) -> MistralSmall:
    """Build the model and give it the weights of a sound checkpoint (see `check`).

    Args:
        dtype: of activations; bfloat16 if all weights are and the native kernels are not used, else float32.
        use_native: pack quantised matrices for the native kernels, where there are any and the device is a CPU. They
            take float32 activations, which is more exact than bfloat16, and faster.
        progress: called while matrices are packed, with the bytes done and all bytes, first for the text decoder, then
            for encoder and projector of pictures; the rest takes no time.
        round_vision: round float matrices of encoder and projector to 8 bits (Q8_0) for the native kernels. Features
            keep a cosine above 0.999 to those in float32.
    """
    model = MistralSmall(checkpoint.config)
    native = use_native and kernels is not None and device.type == "cpu"
    model.dtype = dtype or (torch.float32 if native else _activation_dtype(checkpoint))
    modules = {f"{name}.weight": module for name, module in model.named_modules() if isinstance(module, Weight)}
    packed: dict[str, PackedTensor] = {}
    if native:
        names = [name for name in checkpoint.tensors if isinstance(modules[name], Linear)]
        names += [_EMBEDDING] * checkpoint.config.tie_word_embeddings
        text, vision = ([name for name in names if (part_of(name) == "text") == is_text] for is_text in (True, False))
        packed = packed_matrices(checkpoint, text, progress)
        packed |= packed_matrices(checkpoint, vision, progress, rounded=round_vision)
    # An embedding is looked up row by row, as it lies; only as an output matrix it is packed.
    tied_output = packed.pop(_EMBEDDING, None)
    for name in checkpoint.tensors:
        modules[name].set_weight(packed.get(name) or _on_device(checkpoint.read(name), model.dtype, device))
    if checkpoint.config.tie_word_embeddings:
        model.output.set_weight(tied_output or model.tok_embeddings.weight)
    return model


def _activation_dtype(checkpoint: Checkpoint) -> torch.dtype:
    dtypes = {tensor.dtype for tensor in checkpoint.tensors.values()}
    return torch.bfloat16 if dtypes == {"BF16"} else torch.float32


def _on_device(weight: Tensor | QuantizedTensor, dtype: torch.dtype, device: torch.device) -> Tensor | QuantizedTensor:
    # Norm weights multiply activations directly; matrices keep their own type, `ops.linear` converts them.
    if isinstance(weight, Tensor) and weight.dim() == 1:
        return weight.to(device, dtype)
    return weight.to(device)
