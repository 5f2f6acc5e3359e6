"""Tiny models with random weights that never were in a file: made in milliseconds, without transformers."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from mistralet.checkpoint import Checkpoint, StoredTensor
from mistralet.config import ModelConfig, VisionConfig, tensor_shapes
from mistralet.engine.load import load_weights
from mistralet.model import MistralSmall

TEXT_AND_VISION = ModelConfig(
    vocab_size=128,
    hidden_size=48,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    rms_norm_eps=1e-5,
    rope_theta=1e9,
    max_position_embeddings=64,
    tie_word_embeddings=False,
    vision=VisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        head_dim=16,
        patch_size=14,
        image_size=1540,
        num_channels=3,
        spatial_merge_size=2,
        rope_theta=1e4,
        rms_norm_eps=1e-5,
        projector_norm_eps=1e-5,
    ),
)
TEXT = replace(TEXT_AND_VISION, vision=None)


def random_weights(config: ModelConfig) -> dict[str, Tensor]:
    """Weights large enough that every operation shows in the logits; norms around one."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator) * (0.1 if len(shape) == 1 else 0.15) + (len(shape) == 1)
        for name, shape in tensor_shapes(config).items()
    }


def checkpoint_of(config: ModelConfig, weights: dict[str, Tensor]) -> Checkpoint:
    """A checkpoint that reads from memory."""
    path = Path(__file__)  # any file: its size and date are asked for
    tensors = {
        name: StoredTensor(name, name, path, tuple(tensor.shape), "F32", 4 * prod(tensor.shape))
        for name, tensor in weights.items()
    }
    return Checkpoint(path, "native", config, tensors, (), lambda tensor: weights[tensor.name])


def random_model(config: ModelConfig) -> MistralSmall:
    return load_weights(checkpoint_of(config, random_weights(config)), torch.device("cpu"))
