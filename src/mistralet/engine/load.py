"""From a model's path to a model that can run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mistralet.checkpoint import Checkpoint, check, open_checkpoint
from mistralet.model import MistralSmall
from mistralet.model.layers import Linear, Weight
from mistralet.native import kernels
from mistralet.quant import QuantizedTensor, pack
from mistralet.tokenizer import Tokenizer, tokenizer_from_folder, tokenizer_from_gguf

Progress = Callable[[int, int], None]  # bytes done, bytes in all


@dataclass(frozen=True)
class LoadedModel:
    """A model with its tokenizer, ready for an engine."""

    checkpoint: Checkpoint
    model: MistralSmall
    tokenizer: Tokenizer


def load(path: Path, device: str = "cpu", progress: Progress | None = None) -> LoadedModel:
    """Load the model and the tokenizer at `path`.

    On a CPU, float weights stay memory-mapped; quantised matrices are packed for the native kernels, if there are any,
    and stay memory-mapped otherwise.

    Raises:
        ConfigError, CheckpointError, TokenizerError: what is missing, damaged or contradictory.
    """
    checkpoint = open_checkpoint(path)
    check(checkpoint)
    tokenizer = load_tokenizer(checkpoint)
    return LoadedModel(checkpoint, load_weights(checkpoint, torch.device(device), progress=progress), tokenizer)


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
) -> MistralSmall:
    """Build the model and give it the weights of a sound checkpoint (see `check`).

    Args:
        dtype: of activations; bfloat16 if all weights are, else float32.
        use_native: multiply quantised matrices with the native kernels, where there are any and the device is a CPU.
        progress: called after each tensor.
    """
    model = MistralSmall(checkpoint.config)
    model.dtype = dtype or _activation_dtype(checkpoint)
    use_native = use_native and kernels is not None and device.type == "cpu"
    done, total = 0, checkpoint.nbytes
    for module_name, module in model.named_modules():
        name = f"{module_name}.weight"
        if isinstance(module, Weight) and name in checkpoint.tensors:
            _give(module, checkpoint.read(name), model.dtype, device, use_native)
            done += checkpoint.tensors[name].nbytes
            if progress is not None:
                progress(done, total)
    if checkpoint.config.tie_word_embeddings:
        _give(model.output, model.tok_embeddings.weight, model.dtype, device, use_native)
    return model


def _activation_dtype(checkpoint: Checkpoint) -> torch.dtype:
    dtypes = {tensor.dtype for tensor in checkpoint.tensors.values()}
    return torch.bfloat16 if dtypes == {"BF16"} else torch.float32


def _give(
    module: Weight, weight: Tensor | QuantizedTensor, dtype: torch.dtype, device: torch.device, use_native: bool
) -> None:
    """Put a weight in its place, in the form the operations on this device take."""
    if use_native and isinstance(module, Linear) and isinstance(weight, QuantizedTensor):
        module.set_weight(pack(weight))
    elif isinstance(weight, Tensor) and weight.dim() == 1:
        # Norm weights multiply activations directly; matrices keep their own type, `ops.linear` converts them.
        module.set_weight(weight.to(device, dtype))
    else:
        module.set_weight(weight.to(device))
