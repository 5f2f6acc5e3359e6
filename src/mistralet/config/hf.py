"""`ModelConfig` from a Hugging Face `config.json`, of old and new transformers (SPEC 2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mistralet.config.fields import Fields, require_divisible, require_in_vocabulary, require_room_for_a_token
from mistralet.config.model import IMAGE_TOKEN_ID, ModelConfig, VisionConfig


def config_from_hf(values: Mapping[str, Any], source: str) -> ModelConfig:
    """The configuration in a parsed `config.json`; `source` names the file in errors.

    Raises:
        ConfigError: a key is missing, or holds a value this family does not have.
    """
    fields = Fields(values, source)
    fields.expect("model_type", "mistral", "mistral3")
    if values.get("model_type") == "mistral":
        return _text(fields, tie_word_embeddings=fields.boolean("tie_word_embeddings", False), vision=None)
    if not fields.has("model_type"):
        raise fields.error("model_type", "is missing")
    text = fields.table("text_config")
    text.expect("model_type", "mistral")
    # The outer key decides, as in transformers; 3.1 states neither and is not tied (SPEC G1).
    tie = fields.boolean("tie_word_embeddings", text.boolean("tie_word_embeddings", False))
    return _text(text, tie_word_embeddings=tie, vision=_vision(fields, text))


def _text(fields: Fields, tie_word_embeddings: bool, vision: VisionConfig | None) -> ModelConfig:
    fields.expect("hidden_act", "silu")
    fields.refuse("attention_bias", "Mistral Small 3 has no biases")
    hidden_size = fields.integer("hidden_size")
    heads = fields.integer("num_attention_heads")
    kv_heads = fields.integer("num_key_value_heads")
    require_divisible(fields, "num_attention_heads", heads, kv_heads, "num_key_value_heads")
    max_positions = fields.integer("max_position_embeddings")
    if fields.has("sliding_window") and fields.integer("sliding_window") < max_positions:
        raise fields.error("sliding_window", "is shorter than the context: windowed attention is not supported")
    return ModelConfig(
        vocab_size=fields.integer("vocab_size"),
        hidden_size=hidden_size,
        intermediate_size=fields.integer("intermediate_size"),
        num_hidden_layers=fields.integer("num_hidden_layers", maximum=4096),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=_head_dim(fields, hidden_size, heads, rotary_axes=1),
        rms_norm_eps=fields.number("rms_norm_eps"),
        rope_theta=_rope_theta(fields),
        max_position_embeddings=max_positions,
        tie_word_embeddings=tie_word_embeddings,
        vision=vision,
    )


def _vision(outer: Fields, text: Fields) -> VisionConfig:
    outer.expect("projector_hidden_act", "gelu")
    outer.expect("multimodal_projector_bias", False)
    outer.expect("vision_feature_layer", -1)
    fields = outer.table("vision_config")
    fields.expect("model_type", "pixtral")
    fields.expect("num_channels", 3)
    fields.expect(
        "hidden_act",
        "silu",
        why="the encoder was trained with silu; some conversion scripts leave transformers' default here",
    )
    hidden_size = fields.integer("hidden_size")
    heads = fields.integer("num_attention_heads")
    require_divisible(fields, "hidden_size", hidden_size, heads, "num_attention_heads")
    head_dim = _head_dim(fields, hidden_size, heads, rotary_axes=2)
    if head_dim != hidden_size // heads:
        raise fields.error("head_dim", f"contradicts hidden_size / num_attention_heads ({hidden_size // heads})")
    image_size, patch_size = fields.integer("image_size"), fields.integer("patch_size")
    merge_size = outer.integer("spatial_merge_size")
    require_room_for_a_token(fields, "image_size", image_size, patch_size * merge_size)
    return VisionConfig(
        hidden_size=hidden_size,
        intermediate_size=fields.integer("intermediate_size"),
        num_hidden_layers=fields.integer("num_hidden_layers", maximum=4096),
        num_attention_heads=heads,
        head_dim=head_dim,
        patch_size=patch_size,
        image_size=image_size,
        num_channels=3,
        spatial_merge_size=merge_size,
        rope_theta=_rope_theta(fields),
        rms_norm_eps=1e-5,  # fixed in transformers' Pixtral encoder, as in the reference (SPEC 1.2)
        projector_norm_eps=text.number("rms_norm_eps"),
        image_token_id=_image_token_id(outer, text.integer("vocab_size")),
    )


def _image_token_id(fields: Fields, vocab_size: int) -> int:
    """The id of [IMG], from `image_token_index` (old layout) or `image_token_id` (new); both must agree."""
    key = "image_token_index" if fields.has("image_token_index") else "image_token_id"
    token_id = fields.integer(key, IMAGE_TOKEN_ID)
    require_in_vocabulary(fields, key, token_id, vocab_size)
    if fields.integer("image_token_id", token_id) != token_id:
        raise fields.error("image_token_id", f"contradicts image_token_index ({token_id})")
    return token_id


def _head_dim(fields: Fields, hidden_size: int, heads: int, rotary_axes: int) -> int:
    if not fields.has("head_dim"):
        require_divisible(fields, "hidden_size", hidden_size, heads, "num_attention_heads")
    head_dim = fields.integer("head_dim", hidden_size // heads)
    require_divisible(fields, "head_dim", head_dim, 2 * rotary_axes, "a rotary pair per axis")
    return head_dim


def _rope_theta(fields: Fields) -> float:
    """The rotary base, from `rope_theta` (old layout) or `rope_parameters` (new); both must agree."""
    _refuse_rope_scaling(fields, "rope_scaling")
    _refuse_rope_scaling(fields, "rope_parameters")
    if not fields.has("rope_parameters"):
        return fields.number("rope_theta")
    theta = fields.table("rope_parameters").number("rope_theta")
    if fields.has("rope_theta") and fields.number("rope_theta") != theta:
        raise fields.error("rope_theta", f"contradicts rope_parameters.rope_theta ({theta:g})")
    return theta


def _refuse_rope_scaling(fields: Fields, key: str) -> None:
    if fields.has(key):
        table = fields.table(key)
        for name in ("rope_type", "type"):
            table.expect(name, "default", why="Mistral Small 3 does not scale its rotary embedding")
        if table.has("factor") and not (table.has("rope_type") or table.has("type")):
            raise table.error("rope_type", "is missing")
