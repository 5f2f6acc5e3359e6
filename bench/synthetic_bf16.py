"""A slice of the 24B shape in bfloat16 with random weights, in the files that Mistral publishes."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from bench.synthetic import slice_of, sound_checkpoint
from mistralet.config import ModelConfig, tensor_shapes
from mistralet.errors import UsageError
from mistralet.files import require_room

# Of 131072: else a slice would be embedding and output for the most part.
_VOCABULARY = 16384
_POOL = 10_000_019  # random weights that all matrices are cut from; a prime, so that their rows differ


def bf16_slice(layers: int) -> ModelConfig:
    """The configuration of a slice, whose vocabulary is an eighth of the model's."""
    return replace(slice_of(layers), vocab_size=_VOCABULARY)


def ensure_bf16(folder: Path, config: ModelConfig) -> Path:
    """The folder of such a checkpoint within `folder`; written first unless it is there and whole.

    Raises:
        UsageError: it cannot be written.
    """
    path = folder / f"synthetic-{config.num_hidden_layers}-layers-bf16"
    if is_whole(path, config):
        return path
    temporary = folder / f".{path.name}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        require_room(folder, 2 * sum(map(prod, tensor_shapes(config).values())))
        temporary.mkdir()
        _write(temporary, config)
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error}); name another folder.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def weights_file(path: Path) -> Path:
    """The file of such a checkpoint that holds its weights."""
    return path / "consolidated.safetensors"


def is_whole(path: Path, config: ModelConfig) -> bool:
    """Whether the folder at `path` holds all of `config`."""
    checkpoint = sound_checkpoint(path) if path.is_dir() else None
    return checkpoint is not None and checkpoint.config == config


def _write(path: Path, config: ModelConfig) -> None:
    from safetensors.torch import save_file

    params = {
        "dim": config.hidden_size,
        "n_layers": config.num_hidden_layers,
        "head_dim": config.head_dim,
        "hidden_dim": config.intermediate_size,
        "n_heads": config.num_attention_heads,
        "n_kv_heads": config.num_key_value_heads,
        "norm_eps": config.rms_norm_eps,
        "rope_theta": config.rope_theta,
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.max_position_embeddings,
        "tied_embeddings": config.tie_word_embeddings,
    }
    (path / "params.json").write_text(json.dumps(params, indent=2) + "\n")
    save_file(dict(_weights(config)), weights_file(path))


def _weights(config: ModelConfig) -> Iterator[tuple[str, Tensor]]:
    pool = (torch.randn(_POOL, generator=torch.Generator().manual_seed(0)) * 0.02).to(torch.bfloat16)
    for name, shape in tensor_shapes(config).items():
        count = prod(shape)
        yield (
            name,
            pool.repeat(-(-count // _POOL))[:count].view(shape).clone()
            if len(shape) > 1
            else torch.ones(shape, dtype=torch.bfloat16),
        )
