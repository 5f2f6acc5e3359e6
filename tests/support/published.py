"""The configuration files of the published releases, as tables (SPEC 2.1 to 2.3), and what they must mean."""

from __future__ import annotations

from typing import Any

from mistralet.config import ModelConfig, VisionConfig

PARAMS_3_0: dict[str, Any] = {
    "dim": 5120,
    "n_layers": 40,
    "head_dim": 128,
    "hidden_dim": 32768,
    "n_heads": 32,
    "n_kv_heads": 8,
    "norm_eps": 1e-05,
    "vocab_size": 131072,
    "rope_theta": 100000000.0,
    "max_seq_len": 32768,
}
PARAMS_3_2: dict[str, Any] = {
    "dim": 5120,
    "n_layers": 40,
    "head_dim": 128,
    "hidden_dim": 32768,
    "n_heads": 32,
    "n_kv_heads": 8,
    "rope_theta": 1000000000.0,
    "norm_eps": 1e-05,
    "vocab_size": 131072,
    "max_position_embeddings": 131072,
    "vision_encoder": {
        "hidden_size": 1024,
        "num_channels": 3,
        "max_image_size": 1540,
        "patch_size": 14,
        "rope_theta": 10000.0,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "adapter_bias": False,
        "mm_projector_id": "patch_merge",
        "spatial_merge_size": 2,
        "add_pre_mm_projector_layer_norm": True,
        "image_token_id": 10,
        "image_break_token_id": 12,
        "image_end_token_id": 13,
        "image_size": 1540,
    },
}

CONFIG_3_0: dict[str, Any] = {
    "architectures": ["MistralForCausalLM"],
    "attention_dropout": 0.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 5120,
    "initializer_range": 0.02,
    "intermediate_size": 32768,
    "max_position_embeddings": 32768,
    "model_type": "mistral",
    "num_attention_heads": 32,
    "num_hidden_layers": 40,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "rope_theta": 100000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_cache": True,
    "vocab_size": 131072,
}
CONFIG_3_1: dict[str, Any] = {
    "architectures": ["Mistral3ForConditionalGeneration"],
    "image_token_index": 10,
    "model_type": "mistral3",
    "multimodal_projector_bias": False,
    "projector_hidden_act": "gelu",
    "spatial_merge_size": 2,
    "text_config": {
        "attention_dropout": 0.0,
        "head_dim": 128,
        "hidden_act": "silu",
        "hidden_size": 5120,
        "initializer_range": 0.02,
        "intermediate_size": 32768,
        "max_position_embeddings": 131072,
        "model_type": "mistral",
        "num_attention_heads": 32,
        "num_hidden_layers": 40,
        "num_key_value_heads": 8,
        "rms_norm_eps": 1e-05,
        "rope_theta": 1000000000.0,
        "sliding_window": None,
        "use_cache": True,
        "vocab_size": 131072,
    },
    "torch_dtype": "bfloat16",
    "vision_config": {
        "attention_dropout": 0.0,
        "head_dim": 64,
        "hidden_act": "silu",
        "hidden_size": 1024,
        "image_size": 1540,
        "initializer_range": 0.02,
        "intermediate_size": 4096,
        "model_type": "pixtral",
        "num_attention_heads": 16,
        "num_channels": 3,
        "num_hidden_layers": 24,
        "patch_size": 14,
        "rope_theta": 10000.0,
    },
    "vision_feature_layer": -1,
}

_GGUF_TEXT: dict[str, Any] = {
    "block_count": 40,
    "context_length": 131072,
    "embedding_length": 5120,
    "feed_forward_length": 32768,
    "attention.head_count": 32,
    "attention.head_count_kv": 8,
    "attention.key_length": 128,
    "attention.value_length": 128,
    "attention.layer_norm_rms_epsilon": 9.999999747378752e-06,  # 1e-5 as a float32 holds it
    "rope.freq_base": 1000000000.0,
    "rope.dimension_count": 128,
    "vocab_size": 131072,
}


def gguf_metadata(architecture: str = "llama", **changes: Any) -> dict[str, Any]:
    """The keys of a GGUF file of 3.2; `changes` name keys without the architecture, dots as underscores twice."""
    table = _GGUF_TEXT | {name.replace("__", "."): value for name, value in changes.items()}
    return {"general.architecture": architecture} | {f"{architecture}.{key}": value for key, value in table.items()}


MMPROJ: dict[str, Any] = {
    "general.architecture": "clip",
    "clip.has_vision_encoder": True,
    "clip.projector_type": "pixtral",
    "clip.use_silu": True,
    "clip.vision.image_size": 1540,
    "clip.vision.patch_size": 14,
    "clip.vision.embedding_length": 1024,
    "clip.vision.feed_forward_length": 4096,
    "clip.vision.block_count": 24,
    "clip.vision.attention.head_count": 16,
    "clip.vision.attention.layer_norm_epsilon": 9.999999747378752e-06,
    "clip.vision.projection_dim": 5120,
    "clip.vision.spatial_merge_size": 2,
    "clip.vision.image_mean": [0.48145467042922974, 0.45782750844955444, 0.40821072459220886],
    "clip.vision.image_std": [0.2686295509338379, 0.2613025903701782, 0.2757771015167236],
}

SMALL_3_0 = ModelConfig(
    vocab_size=131_072,
    hidden_size=5120,
    intermediate_size=32_768,
    num_hidden_layers=40,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=128,
    rms_norm_eps=1e-5,
    rope_theta=1e8,
    max_position_embeddings=32_768,
    tie_word_embeddings=False,
    vision=None,
)
SMALL_3_2 = ModelConfig(
    vocab_size=131_072,
    hidden_size=5120,
    intermediate_size=32_768,
    num_hidden_layers=40,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=128,
    rms_norm_eps=1e-5,
    rope_theta=1e9,
    max_position_embeddings=131_072,
    tie_word_embeddings=False,
    vision=VisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        head_dim=64,
        patch_size=14,
        image_size=1540,
        num_channels=3,
        spatial_merge_size=2,
        rope_theta=1e4,
        rms_norm_eps=1e-5,
        projector_norm_eps=1e-5,
        image_token_id=10,
        image_break_token_id=12,
        image_end_token_id=13,
    ),
)
