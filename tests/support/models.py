"""Small models that can be opened by the commands: random weights, but a real tokenizer."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from mistralet.config import ModelConfig
from support.random_models import TEXT_AND_VISION, random_weights

# One row of the embedding for each token of a release's vocabulary, and room for a picture.
CONFIG = replace(TEXT_AND_VISION, vocab_size=131_072, max_position_embeddings=4096)


def write_native_model(folder: Path, tekken: Path, with_vision: bool = True) -> Path:
    """A model in Mistral's own format with the vocabulary of a release; its answers are noise."""
    config = CONFIG if with_vision else replace(CONFIG, vision=None)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(random_weights(config), folder / "consolidated.safetensors")
    (folder / "params.json").write_text(json.dumps(_params(config)))
    (folder / "tekken.json").symlink_to(tekken)
    return folder


def _params(config: ModelConfig) -> dict[str, Any]:
    params: dict[str, Any] = {
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
        params["vision_encoder"] = {**asdict(config.vision), "mm_projector_id": "patch_merge"}
    return params
