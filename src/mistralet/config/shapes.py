"""The name and shape of every weight a configuration implies.

The names are those of Mistral's own checkpoints; every reader translates to them, and the model's modules bear them.
"""

from __future__ import annotations

from math import prod

from mistralet.config.model import ModelConfig, VisionConfig

Shape = tuple[int, ...]

# Which part of the model a tensor belongs to, by the start of its name; everything else is the text decoder.
VISION_PREFIX = "vision_encoder."
PROJECTOR_PREFIXES = ("pre_mm_projector_norm.", "patch_merger.", "vision_language_adapter.")


def tensor_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Every weight of the model, in the order it is used: matrices are `(out_features, in_features)`."""
    shapes: dict[str, Shape] = {"tok_embeddings.weight": (config.vocab_size, config.hidden_size)}
    for layer in range(config.num_hidden_layers):
        shapes |= _decoder_layer(config, f"layers.{layer}.")
    shapes["norm.weight"] = (config.hidden_size,)
    if not config.tie_word_embeddings:
        shapes["output.weight"] = (config.vocab_size, config.hidden_size)
    if config.vision is not None:
        shapes |= _vision_encoder(config.vision) | _projector(config.vision, config.hidden_size)
    return shapes


def part_of(name: str) -> str:
    """The part of the model a tensor belongs to: "text", "vision" or "projector"."""
    if name.startswith(VISION_PREFIX):
        return "vision"
    return "projector" if name.startswith(PROJECTOR_PREFIXES) else "text"


def is_layer_matrix(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is a matrix of the text decoder's layers: what published quantised checkpoints quantise."""
    return name.startswith("layers.") and len(shape) == 2


def count_parameters(config: ModelConfig) -> dict[str, int]:
    """Weights of each part ("text", "vision", "projector") and in all ("total")."""
    counts = {"text": 0, "vision": 0, "projector": 0}
    for name, shape in tensor_shapes(config).items():
        counts[part_of(name)] += prod(shape)
    return counts | {"total": sum(counts.values())}


def _decoder_layer(config: ModelConfig, prefix: str) -> dict[str, Shape]:
    query = config.num_attention_heads * config.head_dim
    key_value = config.num_key_value_heads * config.head_dim
    return _layer(prefix, config.hidden_size, config.intermediate_size, query, key_value)


def _vision_encoder(vision: VisionConfig) -> dict[str, Shape]:
    width = vision.num_attention_heads * vision.head_dim
    kernel = (vision.hidden_size, vision.num_channels, vision.patch_size, vision.patch_size)
    shapes: dict[str, Shape] = {
        f"{VISION_PREFIX}patch_conv.weight": kernel,
        f"{VISION_PREFIX}ln_pre.weight": (vision.hidden_size,),
    }
    for layer in range(vision.num_hidden_layers):
        prefix = f"{VISION_PREFIX}transformer.layers.{layer}."
        shapes |= _layer(prefix, vision.hidden_size, vision.intermediate_size, width, width)
    return shapes


def _projector(vision: VisionConfig, text_size: int) -> dict[str, Shape]:
    merged = vision.hidden_size * vision.spatial_merge_size**2
    return {
        "pre_mm_projector_norm.weight": (vision.hidden_size,),
        "patch_merger.merging_layer.weight": (vision.hidden_size, merged),
        "vision_language_adapter.w_in.weight": (text_size, vision.hidden_size),
        "vision_language_adapter.w_out.weight": (text_size, text_size),
    }


def _layer(prefix: str, hidden_size: int, intermediate_size: int, query: int, key_value: int) -> dict[str, Shape]:
    return {
        f"{prefix}attention_norm.weight": (hidden_size,),
        f"{prefix}attention.wq.weight": (query, hidden_size),
        f"{prefix}attention.wk.weight": (key_value, hidden_size),
        f"{prefix}attention.wv.weight": (key_value, hidden_size),
        f"{prefix}attention.wo.weight": (hidden_size, query),
        f"{prefix}ffn_norm.weight": (hidden_size,),
        f"{prefix}feed_forward.w1.weight": (intermediate_size, hidden_size),
        f"{prefix}feed_forward.w2.weight": (hidden_size, intermediate_size),
        f"{prefix}feed_forward.w3.weight": (intermediate_size, hidden_size),
    }
