"""`ModelConfig` from the metadata of a GGUF file and, for images, of its mmproj file (SPEC 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mistralet.config.fields import Fields, require_divisible, require_room_for_a_token
from mistralet.config.model import PIXEL_MEAN, PIXEL_STD, ModelConfig, VisionConfig

TEXT_ARCHITECTURES = ("llama", "mistral3")
# Loaders of this format fix the encoder's rotary base; the file does not hold it (SPEC 2.3).
_VISION_ROPE_THETA = 10_000.0


def config_from_gguf(
    metadata: Mapping[str, Any], source: str, tie_word_embeddings: bool, vision: VisionConfig | None = None
) -> ModelConfig:
    """The configuration in the metadata of a text GGUF file.

    Args:
        metadata: the file's key-value section.
        source: the file's name, for errors.
        tie_word_embeddings: whether the file lacks an output matrix; the metadata does not say.
        vision: from the mmproj file, if there is one (`vision_from_mmproj`).

    Raises:
        ConfigError: a key is missing, or holds a value this family does not have.
    """
    general = Fields(metadata, source)
    general.expect("general.architecture", *TEXT_ARCHITECTURES)
    if not general.has("general.architecture"):
        raise general.error("general.architecture", "is missing")
    prefix = f"{metadata['general.architecture']}."
    fields = _subtable(metadata, source, prefix)
    for key, why in _UNSUPPORTED.items():
        fields.refuse(key, why)
    fields.expect("rope.scaling.type", "none", why=_NO_SCALING)
    for key in ("rope.scaling.factor", "rope.scale_linear"):
        fields.expect(key, 0, 1, why=_NO_SCALING)
    hidden_size = fields.integer("embedding_length")
    heads = fields.integer("attention.head_count")
    kv_heads = fields.integer("attention.head_count_kv", heads)
    require_divisible(fields, "attention.head_count", heads, kv_heads, "attention.head_count_kv")
    head_dim = _head_dim(fields, hidden_size, heads)
    return ModelConfig(
        vocab_size=_vocab_size(general, fields),
        hidden_size=hidden_size,
        intermediate_size=fields.integer("feed_forward_length"),
        num_hidden_layers=fields.integer("block_count", maximum=4096),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=head_dim,
        rms_norm_eps=fields.number("attention.layer_norm_rms_epsilon"),
        rope_theta=fields.number("rope.freq_base"),
        max_position_embeddings=fields.integer("context_length"),
        tie_word_embeddings=tie_word_embeddings,
        vision=vision,
    )


def vision_from_mmproj(metadata: Mapping[str, Any], source: str, text_hidden_size: int) -> VisionConfig:
    """The vision part in the metadata of an mmproj GGUF file.

    Raises:
        ConfigError: the file is no Pixtral projector, or projects to another width than `text_hidden_size`.
    """
    general = Fields(metadata, source)
    general.expect("general.architecture", "clip")
    clip = _subtable(metadata, source, "clip.")
    clip.expect("projector_type", "pixtral")
    clip.expect("has_vision_encoder", True)
    clip.expect("use_silu", True)
    clip.expect("use_gelu", False)
    fields = _subtable(metadata, source, "clip.vision.")
    fields.expect("projector_type", "pixtral")
    if not (clip.has("projector_type") or fields.has("projector_type")):
        raise clip.error("projector_type", "is missing")
    fields.expect("projection_dim", text_hidden_size, why="the text decoder's width")
    _check_pixel_statistics(fields)
    hidden_size = fields.integer("embedding_length")
    heads = fields.integer("attention.head_count")
    require_divisible(fields, "embedding_length", hidden_size, 4 * heads, "two rotary axes per head")
    eps = fields.number("attention.layer_norm_epsilon")
    image_size, patch_size = fields.integer("image_size"), fields.integer("patch_size")
    merge_size = fields.integer("spatial_merge_size")
    require_room_for_a_token(fields, "image_size", image_size, patch_size * merge_size)
    return VisionConfig(
        hidden_size=hidden_size,
        intermediate_size=fields.integer("feed_forward_length"),
        num_hidden_layers=fields.integer("block_count", maximum=4096),
        num_attention_heads=heads,
        head_dim=hidden_size // heads,
        patch_size=patch_size,
        image_size=image_size,
        num_channels=3,
        spatial_merge_size=merge_size,
        rope_theta=_VISION_ROPE_THETA,
        rms_norm_eps=eps,
        projector_norm_eps=eps,
    )


def _subtable(metadata: Mapping[str, Any], source: str, prefix: str) -> Fields:
    inner = {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix)}
    return Fields(inner, source, prefix)


def _vocab_size(general: Fields, fields: Fields) -> int:
    tokens = general.values.get("tokenizer.ggml.tokens")
    counted = len(tokens) if isinstance(tokens, (list, tuple)) else None
    vocab_size = fields.integer("vocab_size", counted) if counted else fields.integer("vocab_size")
    if counted not in (None, vocab_size):
        raise fields.error("vocab_size", f"is {vocab_size}, which contradicts the {counted} tokens of the tokenizer")
    return vocab_size


def _head_dim(fields: Fields, hidden_size: int, heads: int) -> int:
    if not fields.has("attention.key_length"):
        require_divisible(fields, "embedding_length", hidden_size, heads, "attention.head_count")
    head_dim = fields.integer("attention.key_length", hidden_size // heads)
    require_divisible(fields, "attention.key_length", head_dim, 2, "a rotary pair")
    fields.expect("attention.value_length", head_dim, why="keys and values have one width")
    fields.expect("rope.dimension_count", head_dim, why="the whole head is rotated")
    return head_dim


def _check_pixel_statistics(fields: Fields) -> None:
    for key, expected in (("image_mean", PIXEL_MEAN), ("image_std", PIXEL_STD)):
        stated = fields.values.get(key)
        if stated is not None and not _is_close(stated, expected):
            fields.expect(key, list(expected))


def _is_close(stated: object, expected: tuple[float, ...]) -> bool:
    """Whether `stated` is a list of the numbers `expected`, as far as files round them."""
    return (
        isinstance(stated, (list, tuple))
        and len(stated) == len(expected)
        and all(isinstance(value, float) for value in stated)
        and all(abs(value - other) < 1e-4 for value, other in zip(stated, expected, strict=True))
    )


_NO_SCALING = "Mistral Small 3 does not scale its rotary embedding"
_UNSUPPORTED = {
    "expert_count": "Mistral Small 3 has no experts",
    "attention.sliding_window": "Mistral Small 3 attends to the whole context",
    "attention.temperature_scale": "Mistral Small 3 does not scale its attention",
    "vision.block_count": "take a release with the vision encoder in a separate mmproj file",
}
