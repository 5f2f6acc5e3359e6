"""`ModelConfig` from Mistral's own `params.json` (SPEC 2.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mistralet.config.fields import Fields, require_divisible, require_in_vocabulary, require_room_for_a_token
from mistralet.config.model import (
    IMAGE_BREAK_TOKEN_ID,
    IMAGE_END_TOKEN_ID,
    IMAGE_TOKEN_ID,
    ModelConfig,
    VisionConfig,
)

# Some published copies of the 3.1 file state no length; the converters of that release assume this one (SPEC 2.1).
_CONTEXT_IF_ABSENT = 131_072


def config_from_native(values: Mapping[str, Any], source: str) -> ModelConfig:
    """The configuration in a parsed `params.json`; `source` names the file in errors.

    Raises:
        ConfigError: a key is missing, or holds a value this family does not have.
    """
    fields = Fields(values, source)
    for key, why in _UNSUPPORTED.items():
        fields.refuse(key, why)
    hidden_size = fields.integer("dim")
    heads = fields.integer("n_heads")
    kv_heads = fields.integer("n_kv_heads")
    head_dim = fields.integer("head_dim")
    require_divisible(fields, "n_heads", heads, kv_heads, "n_kv_heads")
    require_divisible(fields, "head_dim", head_dim, 2, "a rotary pair")
    vocab_size = fields.integer("vocab_size")
    length_key = next((key for key in ("max_position_embeddings", "max_seq_len") if fields.has(key)), "max_seq_len")
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        intermediate_size=fields.integer("hidden_dim"),
        num_hidden_layers=fields.integer("n_layers", maximum=4096),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        rms_norm_eps=fields.number("norm_eps"),
        rope_theta=fields.number("rope_theta"),
        max_position_embeddings=fields.integer(length_key, _CONTEXT_IF_ABSENT),
        tie_word_embeddings=fields.boolean("tied_embeddings", False),
        vision=_vision(fields.table("vision_encoder"), vocab_size) if fields.has("vision_encoder") else None,
    )


def _vision(fields: Fields, vocab_size: int) -> VisionConfig:
    fields.expect("mm_projector_id", "patch_merge")
    fields.expect("add_pre_mm_projector_layer_norm", True)
    fields.expect("adapter_bias", False)
    fields.expect("num_channels", 3)
    hidden_size = fields.integer("hidden_size")
    heads = fields.integer("num_attention_heads")
    require_divisible(fields, "hidden_size", hidden_size, heads, "num_attention_heads")
    require_divisible(fields, "hidden_size", hidden_size, 4 * heads, "two rotary axes per head")
    image_size = fields.integer("image_size")
    if fields.has("max_image_size") and fields.integer("max_image_size") != image_size:
        raise fields.error("max_image_size", f"contradicts image_size ({image_size})")
    patch_size, merge_size = fields.integer("patch_size"), fields.integer("spatial_merge_size")
    require_room_for_a_token(fields, "image_size", image_size, patch_size * merge_size)
    token_ids = {key: fields.integer(key, default) for key, default in _IMAGE_TOKENS.items()}
    for key, token_id in token_ids.items():
        require_in_vocabulary(fields, key, token_id, vocab_size)
    return VisionConfig(
        hidden_size=hidden_size,
        intermediate_size=fields.integer("intermediate_size"),
        num_hidden_layers=fields.integer("num_hidden_layers", maximum=4096),
        num_attention_heads=heads,
        head_dim=hidden_size // heads,
        patch_size=patch_size,
        image_size=image_size,
        num_channels=3,
        spatial_merge_size=merge_size,
        rope_theta=fields.number("rope_theta"),
        rms_norm_eps=1e-5,  # not in the file: the reference encoder fixes it (SPEC 1.2)
        projector_norm_eps=1e-5,
        **token_ids,
    )


_IMAGE_TOKENS = {
    "image_token_id": IMAGE_TOKEN_ID,
    "image_break_token_id": IMAGE_BREAK_TOKEN_ID,
    "image_end_token_id": IMAGE_END_TOKEN_ID,
}
_UNSUPPORTED = {
    "moe": "Mistral Small 3 has no experts",
    "sliding_window": "Mistral Small 3 attends to the whole context",
    "yarn": "Mistral Small 3 does not scale its rotary embedding",
    "llama_4_scaling": "Mistral Small 3 does not scale its attention",
    "use_biases": "Mistral Small 3 has no biases",
    "lora": "merge the adapter into the weights first",
    "quantization": "take the bf16 release or a GGUF file",
}
