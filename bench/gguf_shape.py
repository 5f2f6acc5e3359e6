"""A model's shape, as the metadata of a GGUF file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mistralet.config import ModelConfig

if TYPE_CHECKING:
    from gguf import GGUFWriter


def add_shape(writer: GGUFWriter, config: ModelConfig) -> None:
    """Add what a reader has to know of the text model before its tensors."""
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
