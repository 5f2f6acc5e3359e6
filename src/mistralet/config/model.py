"""`ModelConfig`: the numbers that define one model, whatever file they came from."""

from __future__ import annotations

from dataclasses import dataclass

from mistralet.config.kv_type import KVType

# Ids of the image tokens in every Tekken tokenizer of the family (SPEC 3.1); files that state them may differ.
IMAGE_TOKEN_ID = 10
IMAGE_BREAK_TOKEN_ID = 12
IMAGE_END_TOKEN_ID = 13

# Mean and deviation of pixel values in 0..1, per colour, that the vision encoder was trained with (SPEC 4).
PIXEL_MEAN = (0.48145466, 0.4578275, 0.40821073)
PIXEL_STD = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class VisionConfig:
    """The Pixtral vision encoder and its projector into the text decoder (Mistral Small 3.1 and 3.2)."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    head_dim: int
    patch_size: int  # pixels
    image_size: int  # pixels of the longer side, at most
    num_channels: int
    spatial_merge_size: int  # patches per side that become one token
    rope_theta: float
    rms_norm_eps: float
    projector_norm_eps: float
    image_token_id: int = IMAGE_TOKEN_ID
    image_break_token_id: int = IMAGE_BREAK_TOKEN_ID
    image_end_token_id: int = IMAGE_END_TOKEN_ID

    @property
    def max_patches_per_side(self) -> int:
        """Patches along the longer side of the largest image."""
        return self.image_size // self.patch_size

    @property
    def merged_patch_size(self) -> int:
        """Pixels per side that become one token of the text decoder."""
        return self.patch_size * self.spatial_merge_size


@dataclass(frozen=True)
class ModelConfig:
    """A Mistral Small 3 text decoder, with a vision encoder where the release has one."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    rms_norm_eps: float
    rope_theta: float
    max_position_embeddings: int  # tokens
    tie_word_embeddings: bool
    vision: VisionConfig | None = None

    def kv_bytes_per_token(self, kv_type: KVType = KVType.FLOAT16) -> int:
        """Bytes of keys and values that one token adds to the cache, over all layers."""
        return self.num_hidden_layers * self.num_key_value_heads * kv_type.token_bytes(self.head_dim)
