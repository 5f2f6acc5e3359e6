"""The keys of a tiny text model and its mmproj as bytes, for tests that open GGUF files but never run them."""

from __future__ import annotations

from collections.abc import Sequence

from support.gguf_bytes import BOOL, F32, STRING, TENSOR_F32, U32, RawTensor, gguf_bytes, key, scalar

TEXT_KEYS = [
    key("general.architecture", scalar(STRING, "llama")),
    key("llama.block_count", scalar(U32, 2)),
    key("llama.context_length", scalar(U32, 64)),
    key("llama.embedding_length", scalar(U32, 48)),
    key("llama.feed_forward_length", scalar(U32, 96)),
    key("llama.attention.head_count", scalar(U32, 4)),
    key("llama.attention.head_count_kv", scalar(U32, 2)),
    key("llama.attention.key_length", scalar(U32, 16)),
    key("llama.attention.layer_norm_rms_epsilon", scalar(F32, 1e-5)),
    key("llama.rope.freq_base", scalar(F32, 1e9)),
    key("llama.vocab_size", scalar(U32, 128)),
]
MMPROJ_KEYS = [
    key("general.architecture", scalar(STRING, "clip")),
    key("clip.has_vision_encoder", scalar(BOOL, True)),
    key("clip.projector_type", scalar(STRING, "pixtral")),
    key("clip.use_silu", scalar(BOOL, True)),
    key("clip.vision.image_size", scalar(U32, 1540)),
    key("clip.vision.patch_size", scalar(U32, 14)),
    key("clip.vision.embedding_length", scalar(U32, 32)),
    key("clip.vision.feed_forward_length", scalar(U32, 48)),
    key("clip.vision.block_count", scalar(U32, 1)),
    key("clip.vision.attention.head_count", scalar(U32, 2)),
    key("clip.vision.attention.layer_norm_epsilon", scalar(F32, 1e-5)),
    key("clip.vision.projection_dim", scalar(U32, 48)),
    key("clip.vision.spatial_merge_size", scalar(U32, 2)),
]


def tiny_gguf(keys: Sequence[bytes]) -> bytes:
    """A file with these keys and one small tensor."""
    return gguf_bytes(keys, [RawTensor("output_norm.weight", [8], TENSOR_F32, 0)], bytes(32))
