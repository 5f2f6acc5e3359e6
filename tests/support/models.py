"""Small models that can be opened by the commands: random weights, but a real tokenizer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from mistralet.config import ModelConfig, VisionConfig, tensor_shapes

VISION = VisionConfig(
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
)
CONFIG = ModelConfig(
    vocab_size=131_072,
    hidden_size=16,
    intermediate_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=8,
    rms_norm_eps=1e-5,
    rope_theta=1e9,
    max_position_embeddings=4096,
    tie_word_embeddings=False,
    vision=VISION,
)


def write_native_model(folder: Path, tekken: Path, with_vision: bool = True) -> Path:
    """A model in Mistral's own format with the vocabulary of a release; its answers are noise."""
    config = CONFIG if with_vision else replace(CONFIG, vision=None)
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(shape, generator=generator) for name, shape in tensor_shapes(config).items()}
    save_file(weights, folder / "consolidated.safetensors")
    (folder / "params.json").write_text(_params(config))
    (folder / "tekken.json").symlink_to(tekken)
    return folder


def _params(config: ModelConfig) -> str:
    params: dict[str, object] = {
        "dim": config.hidden_size,
        "n_layers": config.num_hidden_layers,
        "head_dim": config.head_dim,
        "hidden_dim": config.intermediate_size,
        "n_heads": config.num_attention_heads,
        "n_kv_heads": config.num_key_value_heads,
        "norm_eps": config.rms_norm_eps,
        "vocab_size": config.vocab_size,
        "rope_theta": config.rope_theta,
        "max_position_embeddings": config.max_position_embeddings,
    }
    if config.vision is not None:
        params["vision_encoder"] = {
            "hidden_size": VISION.hidden_size,
            "intermediate_size": VISION.intermediate_size,
            "num_hidden_layers": VISION.num_hidden_layers,
            "num_attention_heads": VISION.num_attention_heads,
            "patch_size": VISION.patch_size,
            "image_size": VISION.image_size,
            "spatial_merge_size": VISION.spatial_merge_size,
            "rope_theta": VISION.rope_theta,
            "mm_projector_id": "patch_merge",
        }
    return json.dumps(params)
