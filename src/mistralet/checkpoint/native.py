"""Mistral's own format: `params.json` and `consolidated.safetensors`, whose names are the canonical ones (SPEC 2.1)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mistralet.checkpoint.base import Checkpoint, StoredTensor
from mistralet.checkpoint.safetensors_file import TensorReader, find_shards, read_headers
from mistralet.config import config_from_native, tensor_shapes
from mistralet.config.fields import read_json_table


def open_native(folder: Path) -> Checkpoint:
    """Open a folder with `params.json` and `consolidated*.safetensors`.

    Raises:
        ConfigError, CheckpointError: what is missing, damaged or contradictory.
    """
    params = folder / "params.json"
    config = config_from_native(read_json_table(params), str(params))
    headers = read_headers(find_shards(folder, "consolidated"))
    if "output.weight" in headers:
        config = replace(config, tie_word_embeddings=False)
    expected = tensor_shapes(config)
    tensors = {
        name: StoredTensor(name, name, header.file, header.shape, header.dtype, header.nbytes)
        for name, header in headers.items()
        if name in expected
    }
    unexpected = tuple(name for name in headers if name not in expected)
    reader = TensorReader()
    return Checkpoint(
        folder, "native", config, tensors, unexpected, lambda tensor: reader.read(tensor.file, tensor.stored_name)
    )
