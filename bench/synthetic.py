"""A checkpoint of the full 24B shape with random weights: as large and as mixed as the real one, with nothing to say.

It is a GGUF file in llama.cpp's Q4_K_M mix. A slice of it has fewer layers, taken evenly from the whole model's, so
that its mix of types is about the same.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from bench.gguf_shape import add_shape
from mistralet.checkpoint import Checkpoint, StoredTensor, check, open_checkpoint
from mistralet.checkpoint.ggml_types import GGML_TYPES
from mistralet.checkpoint.gguf import canonical_name
from mistralet.checkpoint.plan import q4_k_m_type
from mistralet.config import ModelConfig, tensor_shapes
from mistralet.errors import MistraletError, UsageError
from mistralet.hub import RELEASES
from mistralet.machine import format_bytes

if TYPE_CHECKING:
    from gguf import GGUFWriter

WHOLE = replace(RELEASES["small-3.2"].config, vision=None)
# Raised when the content of the file changes, so that an older one is made anew.
_VERSION = 1
_VERSION_KEY = "mistralet.synthetic_version"
_Q4_K_M_FILE_TYPE = 15
_LEAVES = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")
_TYPES = {ggml_type.name: ggml_type for ggml_type in GGML_TYPES.values()}

Progress = Callable[[int, int], None]  # bytes done, bytes in all


def slice_of(layers: int | None) -> ModelConfig:
    """The configuration of a slice of the model; of the whole one for None.

    Raises:
        UsageError: the model has not that many layers.
    """
    whole = WHOLE.num_hidden_layers
    if layers is not None and not 1 <= layers <= whole:
        raise UsageError(f"The number of layers is {layers}, but must be from 1 to {whole}.")
    return replace(WHOLE, num_hidden_layers=layers or whole)


def ensure_synthetic(folder: Path, config: ModelConfig, progress: Progress | None = None) -> Path:
    """The file of `config` in `folder`; written first unless it is there and whole.

    Raises:
        UsageError: it cannot be written.
    """
    path = folder / f"synthetic-{config.num_hidden_layers}-layers-q4_k_m.gguf"
    if is_whole(path, config):
        return path
    tensors = plan_tensors(config, path)
    total = sum(tensor.nbytes for tensor in tensors)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Twice: mistralet keeps a packed copy of a large model.
        if shutil.disk_usage(folder).free < 2 * total + (1 << 30):
            raise UsageError(
                f"{folder}: has no room for {format_bytes(total)} of random weights and as much again for a packed "
                "copy; name another folder with --keep, or fewer layers with --layers."
            )
        write_synthetic(path, config, progress)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be written ({error.strerror or error}); name another folder with --keep."
        ) from error
    return path


def is_whole(path: Path, config: ModelConfig) -> bool:
    """Whether the file at `path` holds all of `config`, as this version writes it."""
    checkpoint = sound_checkpoint(path) if path.is_file() else None
    if checkpoint is None:
        return False
    is_current = checkpoint.metadata.get(_VERSION_KEY) == _VERSION
    return is_current and [(t.name, t.shape, t.dtype) for t in checkpoint.tensors.values()] == [
        (t.name, t.shape, t.dtype) for t in plan_tensors(config, path)
    ]


def sound_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint at `path`, if it is a whole one."""
    try:
        checkpoint = open_checkpoint(path)
        check(checkpoint)
    except MistraletError:
        return None
    return checkpoint


def plan_tensors(config: ModelConfig, path: Path) -> list[StoredTensor]:
    """Every tensor of the file at `path`, in its order there."""
    layers = config.num_hidden_layers
    stored = [f"blk.{layer}.{leaf}.weight" for layer in range(layers) for leaf in _LEAVES]
    shapes = tensor_shapes(config)
    tensors = []
    for stored_name in ("token_embd.weight", *stored, "output_norm.weight", "output.weight"):
        name = canonical_name(stored_name)
        assert name is not None, stored_name
        shape = shapes[name]
        stored_type = _TYPES[q4_k_m_type(_name_in_whole(name, layers), shape, WHOLE)]
        nbytes = prod(shape) // stored_type.block_size * stored_type.block_bytes
        tensors.append(StoredTensor(name, stored_name, path, shape, stored_type.name, nbytes))
    return tensors


def _name_in_whole(name: str, layers: int) -> str:
    """The tensor of the whole model that one of a slice stands for."""
    if not name.startswith("layers."):
        return name
    _, layer, leaf = name.split(".", 2)
    return f"layers.{(2 * int(layer) + 1) * WHOLE.num_hidden_layers // (2 * layers)}.{leaf}"


def write_synthetic(path: Path, config: ModelConfig, progress: Progress | None = None) -> None:
    """Write the file, in one step: to a temporary name beside it, flushed to the disk, then renamed.

    One tensor is in memory at a time. The same configuration gives the same bytes.

    Raises:
        OSError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(temporary, plan_tensors(config, path), config, progress)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _write(path: Path, tensors: list[StoredTensor], config: ModelConfig, progress: Progress | None) -> None:
    import numpy as np
    from gguf import GGMLQuantizationType, GGUFWriter

    from bench.random_blocks import Pool

    writer = GGUFWriter(path, "llama")
    try:
        _add_metadata(writer, config)
        for tensor in tensors:
            quantization = GGMLQuantizationType[tensor.dtype]
            # A type other than uint8 says that the shape counts weights, not bytes.
            writer.add_tensor_info(
                tensor.stored_name, tensor.shape, np.dtype(np.float32), tensor.nbytes, raw_dtype=quantization
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        pools = {dtype: Pool(dtype) for dtype in {tensor.dtype for tensor in tensors}}
        done, total = 0, sum(tensor.nbytes for tensor in tensors)
        for index, tensor in enumerate(tensors):
            writer.write_tensor_data(pools[tensor.dtype].cut(tensor.nbytes, seed=index))
            done += tensor.nbytes
            if progress is not None:
                progress(done, total)
        writer.flush()
    finally:
        writer.close()


def _add_metadata(writer: GGUFWriter, config: ModelConfig) -> None:
    from bench.vocabulary import vocabulary_metadata

    writer.add_name(f"Random weights in the shape of Mistral Small 3.2, {config.num_hidden_layers} layers")
    writer.add_uint32(_VERSION_KEY, _VERSION)
    writer.add_file_type(_Q4_K_M_FILE_TYPE)
    writer.add_quantization_version(2)
    add_shape(writer, config)
    adders: dict[type, Callable[..., None]] = {
        str: writer.add_string,
        bool: writer.add_bool,
        int: writer.add_uint32,
        list: writer.add_array,
    }
    for key, value in vocabulary_metadata(config.vocab_size).items():
        adders[type(value)](f"tokenizer.ggml.{key}", value)
