"""The published releases of Mistral Small 3: where they are, and the exact numbers of each (SPEC 1.1, 1.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mistralet.config import ModelConfig, VisionConfig


@dataclass(frozen=True)
class Release:
    """One instruction-tuned release."""

    alias: str
    title: str
    repo: str  # on Hugging Face, with the weights in bf16
    gguf_repo: str  # on Hugging Face, with one GGUF file per quantisation
    tokenizer_version: str  # of Tekken; it decides the chat template
    config: ModelConfig


_VISION = VisionConfig(
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
)
_TEXT = ModelConfig(
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
)
_TEXT_AND_VISION = replace(_TEXT, rope_theta=1e9, max_position_embeddings=131_072, vision=_VISION)

# The GGUF repositories are third parties', known from public mentions: the names of the files in them are found by
# listing the repository, never assumed.
_RELEASES = (
    Release(
        alias="small-3.2",
        title="Mistral Small 3.2 (2506)",
        repo="mistralai/Mistral-Small-3.2-24B-Instruct-2506",
        gguf_repo="bartowski/mistralai_Mistral-Small-3.2-24B-Instruct-2506-GGUF",
        tokenizer_version="v11",
        config=_TEXT_AND_VISION,
    ),
    Release(
        alias="small-3.1",
        title="Mistral Small 3.1 (2503)",
        repo="mistralai/Mistral-Small-3.1-24B-Instruct-2503",
        gguf_repo="bartowski/mistralai_Mistral-Small-3.1-24B-Instruct-2503-GGUF",
        tokenizer_version="v7",
        config=_TEXT_AND_VISION,
    ),
    Release(
        alias="small-3.0",
        title="Mistral Small 3 (2501)",
        repo="mistralai/Mistral-Small-24B-Instruct-2501",
        gguf_repo="bartowski/Mistral-Small-24B-Instruct-2501-GGUF",
        tokenizer_version="v7",
        config=_TEXT,
    ),
)
RELEASES: dict[str, Release] = {release.alias: release for release in _RELEASES}
