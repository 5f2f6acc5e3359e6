"""The metadata of GGUF files: the published ones, and what is refused of others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from mistralet.config import ModelConfig, VisionConfig, config_from_gguf, config_from_hf, config_from_native
from mistralet.config.gguf import vision_from_mmproj
from mistralet.errors import ConfigError
from support.published import (
    CONFIG_3_0,
    CONFIG_3_1,
    GGUF_3_0,
    GGUF_3_2,
    MMPROJ,
    PARAMS_3_0,
    PARAMS_3_2,
    SMALL_3_0,
    SMALL_3_2,
)
from support.tables import NO_COUNTS, NO_NUMBERS, REMOVED, changed, damaged, outcome

SOURCE, MMPROJ_SOURCE = "model.gguf", "mmproj.gguf"


def read(metadata: dict[str, Any], vision: VisionConfig | None = None) -> ModelConfig:
    return config_from_gguf(metadata, SOURCE, tie_word_embeddings=False, vision=vision)


def read_mmproj(metadata: dict[str, Any], text_hidden_size: int = 5120) -> VisionConfig:
    return vision_from_mmproj(metadata, MMPROJ_SOURCE, text_hidden_size)


def refusal(metadata: dict[str, Any]) -> str:
    is_mmproj = metadata.get("general.architecture") == "clip"
    with pytest.raises(ConfigError) as raised:
        (read_mmproj if is_mmproj else read)(metadata)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
    return str(raised.value)


def of_architecture(metadata: dict[str, Any], architecture: str) -> dict[str, Any]:
    return {key.replace("llama.", f"{architecture}."): value for key, value in metadata.items()} | {
        "general.architecture": architecture
    }


@pytest.mark.parametrize("architecture", ["llama", "mistral3"])
def test_the_published_files_give_exactly_the_releases_numbers(architecture: str) -> None:
    assert read(of_architecture(GGUF_3_0, architecture)) == SMALL_3_0
    assert read(of_architecture(GGUF_3_2, architecture), read_mmproj(MMPROJ)) == SMALL_3_2


@pytest.mark.parametrize(
    ("gguf", "hf", "params"), [(GGUF_3_0, CONFIG_3_0, PARAMS_3_0), (GGUF_3_2, CONFIG_3_1, PARAMS_3_2)]
)
def test_three_formats_of_a_release_give_equal_configs(
    gguf: dict[str, Any], hf: dict[str, Any], params: dict[str, Any]
) -> None:
    vision = read_mmproj(MMPROJ) if "vision_encoder" in params else None
    assert read(gguf, vision) == config_from_hf(hf, "b") == config_from_native(params, "c")


def test_a_head_is_as_wide_as_stated_not_what_the_width_divides_into() -> None:
    assert read(GGUF_3_2).head_dim == 128
    without = {key: value for key, value in GGUF_3_2.items() if "_length" not in key or "attention" not in key}
    assert read({**without, "llama.rope.dimension_count": 160}).head_dim == 160


def test_a_file_without_an_output_matrix_has_tied_embeddings() -> None:
    assert config_from_gguf(GGUF_3_2, SOURCE, tie_word_embeddings=True).tie_word_embeddings


@pytest.mark.parametrize(
    ("key", "value", "changes"),
    [
        ("llama.attention.head_count_kv", REMOVED, {"num_key_value_heads": 32}),
        ("llama.attention.value_length", REMOVED, {}),
        ("llama.rope.dimension_count", REMOVED, {}),
        ("llama.rope.scaling.type", "none", {}),
        ("llama.rope.scaling.factor", 1.0, {}),
        ("llama.expert_count", 0, {}),
        ("llama.attention.sliding_window", 0, {}),
        ("tokenizer.ggml.tokens", ["a"] * 131_072, {}),
        ("general.name", "is not looked at", {}),
    ],
)
def test_what_may_be_absent_or_neutral(key: str, value: Any, changes: dict[str, Any]) -> None:
    assert read(changed(GGUF_3_2, (key,), value)) == replace(SMALL_3_2, vision=None, **changes)


def test_without_a_vocabulary_size_the_tokens_are_counted() -> None:
    metadata = changed(GGUF_3_2, ("llama.vocab_size",), REMOVED)
    assert read({**metadata, "tokenizer.ggml.tokens": ["a"] * 100}).vocab_size == 100
    assert refusal(metadata) == f"{SOURCE}: 'llama.vocab_size' is missing"


COUNTS = [
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "vocab_size",
]
NUMBERS = ["attention.layer_norm_rms_epsilon", "rope.freq_base"]
MMPROJ_COUNTS = [
    "block_count",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "image_size",
    "patch_size",
    "spatial_merge_size",
]


@pytest.mark.parametrize("value", [REMOVED, None])
@pytest.mark.parametrize(
    "key",
    [
        "general.architecture",
        *(
            f"llama.{key}"
            for key in (*COUNTS, *NUMBERS)
            if key not in ("attention.head_count_kv", "attention.key_length")
        ),
    ],
)
def test_a_missing_key_is_named(key: str, value: Any) -> None:
    assert refusal(changed(GGUF_3_2, (key,), value)) == f"{SOURCE}: '{key}' is missing"


@pytest.mark.parametrize("value", [REMOVED, None])
@pytest.mark.parametrize(
    "key",
    [*(f"clip.vision.{key}" for key in (*MMPROJ_COUNTS, "attention.layer_norm_epsilon")), "clip.projector_type"],
)
def test_a_missing_key_of_an_mmproj_is_named(key: str, value: Any) -> None:
    assert refusal(changed(MMPROJ, (key,), value)) == f"{MMPROJ_SOURCE}: '{key}' is missing"


@pytest.mark.parametrize("key", COUNTS)
def test_a_count_must_be_a_whole_number_in_reason(key: str) -> None:
    for value in NO_COUNTS:
        assert refusal(changed(GGUF_3_2, (f"llama.{key}",), value)).startswith(f"{SOURCE}: 'llama.{key}' is ")


@pytest.mark.parametrize("key", MMPROJ_COUNTS)
def test_a_count_of_an_mmproj_must_be_a_whole_number_in_reason(key: str) -> None:
    for value in NO_COUNTS:
        message = refusal(changed(MMPROJ, (f"clip.vision.{key}",), value))
        assert message.startswith(f"{MMPROJ_SOURCE}: 'clip.vision.{key}' is ")


@pytest.mark.parametrize("key", NUMBERS)
def test_a_measure_must_be_a_positive_number_in_reason(key: str) -> None:
    for value in NO_NUMBERS:
        assert refusal(changed(GGUF_3_2, (f"llama.{key}",), value)).startswith(f"{SOURCE}: 'llama.{key}' is ")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("general.architecture", "qwen2", "'general.architecture' is 'qwen2', but only 'llama' or 'mistral3'"),
        ("general.architecture", ["llama"], "'general.architecture' is ['llama']"),
        ("llama.expert_count", 8, "'llama.expert_count' is 8, which is not supported"),
        ("llama.attention.sliding_window", 4096, "'llama.attention.sliding_window' is 4096"),
        ("llama.attention.temperature_scale", 0.1, "'llama.attention.temperature_scale' is 0.1"),
        ("llama.rope.scaling.type", "yarn", "'llama.rope.scaling.type' is 'yarn'"),
        ("llama.rope.scaling.factor", 4.0, "'llama.rope.scaling.factor' is 4.0"),  # without a type it means linear
        ("llama.rope.scale_linear", 4.0, "'llama.rope.scale_linear' is 4.0"),
        ("llama.rope.dimension_count", 64, "'llama.rope.dimension_count' is 64, but only 128 is supported"),
        ("llama.attention.value_length", 64, "'llama.attention.value_length' is 64, but only 128 is supported"),
        ("llama.attention.key_length", 127, "'llama.attention.key_length' is 127, which is not a multiple"),
        ("llama.attention.head_count_kv", 5, "'llama.attention.head_count' is 32, which is not a multiple"),
        ("llama.vision.block_count", 24, "take a release with the vision encoder in a separate mmproj file"),
        ("llama.vocab_size", 32_000, "is 32000, which contradicts the 131072 tokens of the tokenizer"),
    ],
)
def test_what_the_model_does_not_have_or_contradicts_itself_is_refused(key: str, value: Any, sentence: str) -> None:
    metadata = {**GGUF_3_2, "tokenizer.ggml.tokens": ["a"] * 131_072}
    message = refusal(changed(metadata, (key,), value))
    assert message.startswith(f"{SOURCE}: ")
    assert sentence in message


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("clip.projector_type", "mlp", "'clip.projector_type' is 'mlp', but only 'pixtral' is supported"),
        ("clip.vision.projector_type", "ldp", "'clip.vision.projector_type' is 'ldp'"),
        ("clip.has_vision_encoder", False, "'clip.has_vision_encoder' is False"),
        ("clip.use_silu", False, "'clip.use_silu' is False"),
        ("clip.use_gelu", True, "'clip.use_gelu' is True"),
        ("clip.vision.projection_dim", 4096, "'clip.vision.projection_dim' is 4096, but only 5120 is supported"),
        ("clip.vision.attention.head_count", 15, "'clip.vision.embedding_length' is 1024, which is not a multiple"),
        ("clip.vision.image_size", 14, "'clip.vision.image_size' is 14, but one token covers 28 pixels"),
        ("clip.vision.image_mean", [0.5, 0.5, 0.5], "'clip.vision.image_mean' is [0.5, 0.5, 0.5]"),
        ("clip.vision.image_mean", 0.5, "'clip.vision.image_mean' is 0.5"),
        ("clip.vision.image_mean", [0.48145466, 0.4578275], "'clip.vision.image_mean' is [0.48145466, 0.4578275]"),
        ("clip.vision.image_std", ["a", "b", "c"], "'clip.vision.image_std' is ['a', 'b', 'c']"),
        ("clip.vision.image_std", [float("nan")] * 3, "'clip.vision.image_std' is [nan, nan, nan]"),
    ],
)
def test_an_mmproj_of_another_kind_is_refused(key: str, value: Any, sentence: str) -> None:
    message = refusal(changed(MMPROJ, (key,), value))
    assert message.startswith(f"{MMPROJ_SOURCE}: ")
    assert sentence in message


def test_a_newer_mmproj_states_the_projector_among_the_vision_keys() -> None:
    metadata = changed(MMPROJ, ("clip.projector_type",), REMOVED) | {"clip.vision.projector_type": "pixtral"}
    assert read_mmproj(metadata) == SMALL_3_2.vision


@settings(max_examples=100, deadline=None, derandomize=True)
@given(metadata=damaged(GGUF_3_2, MMPROJ))
def test_any_metadata_gives_a_config_or_a_config_error(metadata: dict[str, Any]) -> None:
    text = outcome(lambda: read(metadata))
    assert isinstance(text, ModelConfig) or text.startswith(f"{SOURCE}: '")
    vision = outcome(lambda: read_mmproj(metadata))
    assert isinstance(vision, VisionConfig) or vision.startswith(f"{MMPROJ_SOURCE}: '")
