"""`params.json`: the published files, and what is refused of others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from mistralet.config import ModelConfig, config_from_native
from mistralet.errors import ConfigError
from support.published import PARAMS_3_0, PARAMS_3_2, SMALL_3_0, SMALL_3_2
from support.tables import NO_COUNTS, NO_NUMBERS, REMOVED, Path, changed, damaged, outcome

SOURCE = "folder/params.json"


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as raised:
        config_from_native(values, SOURCE)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
    return str(raised.value)


@pytest.mark.parametrize(("params", "config"), [(PARAMS_3_0, SMALL_3_0), (PARAMS_3_2, SMALL_3_2)], ids=["3.0", "3.2"])
def test_the_published_file_gives_exactly_the_releases_numbers(params: dict[str, Any], config: ModelConfig) -> None:
    assert config_from_native(params, SOURCE) == config


def test_a_head_is_as_wide_as_stated_not_what_the_width_divides_into() -> None:
    config = config_from_native(PARAMS_3_2, SOURCE)
    assert config.head_dim == 128 != config.hidden_size // config.num_attention_heads


@pytest.mark.parametrize(
    ("path", "value", "changes"),
    [
        (("max_position_embeddings",), REMOVED, {}),  # some copies of the 3.1 file lack it
        (("max_seq_len",), 1000, {}),
        (("rope_theta",), 1_000_000_000, {}),
        (("n_layers",), 40.0, {}),
        (("vision_encoder", "max_image_size"), REMOVED, {}),
        (("vision_encoder",), None, {"vision": None}),
        (("tied_embeddings",), True, {"tie_word_embeddings": True}),
        (("moe",), None, {}),
        (("sliding_window",), None, {}),
        (("anything_else",), "is not looked at", {}),
    ],
)
def test_what_may_be_absent_or_written_in_another_way(path: Path, value: Any, changes: dict[str, Any]) -> None:
    assert config_from_native(changed(PARAMS_3_2, path, value), SOURCE) == replace(SMALL_3_2, **changes)


REQUIRED = [
    "dim",
    "n_layers",
    "head_dim",
    "hidden_dim",
    "n_heads",
    "n_kv_heads",
    "norm_eps",
    "vocab_size",
    "rope_theta",
]
REQUIRED_OF_VISION = [
    "hidden_size",
    "patch_size",
    "rope_theta",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "spatial_merge_size",
    "image_size",
]
COUNTS = [(key,) for key in REQUIRED if key not in ("norm_eps", "rope_theta")] + [
    ("max_position_embeddings",),
    *(("vision_encoder", key) for key in REQUIRED_OF_VISION if key != "rope_theta"),
    ("vision_encoder", "num_channels"),
    ("vision_encoder", "image_token_id"),
    ("vision_encoder", "image_break_token_id"),
    ("vision_encoder", "image_end_token_id"),
]
NUMBERS: list[Path] = [("norm_eps",), ("rope_theta",), ("vision_encoder", "rope_theta")]


@pytest.mark.parametrize("value", [REMOVED, None])
@pytest.mark.parametrize("path", [(key,) for key in REQUIRED] + [("vision_encoder", key) for key in REQUIRED_OF_VISION])
def test_a_missing_key_is_named(path: Path, value: Any) -> None:
    assert refusal(changed(PARAMS_3_2, path, value)) == f"{SOURCE}: '{'.'.join(path)}' is missing"


@pytest.mark.parametrize("path", COUNTS, ids=".".join)
def test_a_count_must_be_a_whole_number_in_reason(path: Path) -> None:
    for value in NO_COUNTS:
        assert refusal(changed(PARAMS_3_2, path, value)).startswith(f"{SOURCE}: '{'.'.join(path)}' is ")


@pytest.mark.parametrize("path", NUMBERS, ids=".".join)
def test_a_measure_must_be_a_positive_number_in_reason(path: Path) -> None:
    for value in NO_NUMBERS:
        assert refusal(changed(PARAMS_3_2, path, value)).startswith(f"{SOURCE}: '{'.'.join(path)}' is ")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("moe",), {"num_experts": 8}, "'moe' is {'num_experts': 8}, which is not supported"),
        (("sliding_window",), 4096, "'sliding_window' is 4096"),
        (("yarn",), {"factor": 4}, "'yarn' is"),
        (("llama_4_scaling",), {"beta": 0.1}, "'llama_4_scaling' is"),
        (("use_biases",), True, "'use_biases' is True"),
        (("lora",), {"rank": 8}, "'lora' is"),
        (("quantization",), {"qformat_weight": "fp8_e4m3"}, "take the bf16 release or a GGUF file"),
        (("quantization",), {"x": "y" * 1000}, "..."),
        (("tied_embeddings",), "yes", "'tied_embeddings' is 'yes', but must be true or false"),
        (("vision_encoder",), [], "'vision_encoder' must be a table"),
        (("vision_encoder", "adapter_bias"), True, "'vision_encoder.adapter_bias' is True"),
        (("vision_encoder", "mm_projector_id"), "mlp", "'vision_encoder.mm_projector_id' is 'mlp'"),
        (("vision_encoder", "add_pre_mm_projector_layer_norm"), False, "add_pre_mm_projector_layer_norm' is False"),
        (("vision_encoder", "max_image_size"), 1024, "max_image_size' contradicts image_size (1540)"),
        (("vision_encoder", "patch_size"), 1000, "image_size' is 1540, but one token covers 2000 pixels"),
        (("vision_encoder", "image_token_id"), 131_072, "image_token_id' is 131072, but the vocabulary ends at 131071"),
        (("vision_encoder", "num_attention_heads"), 15, "hidden_size' is 1024, which is not a multiple"),
        (("n_heads",), 30, "'n_heads' is 30, which is not a multiple of n_kv_heads (8)"),
        (("head_dim",), 127, "'head_dim' is 127, which is not a multiple of a rotary pair (2)"),
    ],
)
def test_what_the_model_does_not_have_or_contradicts_itself_is_refused(path: Path, value: Any, sentence: str) -> None:
    message = refusal(changed(PARAMS_3_2, path, value))
    assert message.startswith(f"{SOURCE}: ")
    assert sentence in message


@settings(max_examples=100, deadline=None, derandomize=True)
@given(values=damaged(PARAMS_3_0, PARAMS_3_2))
def test_any_json_object_gives_a_config_or_a_config_error(values: dict[str, Any]) -> None:
    result = outcome(lambda: config_from_native(values, SOURCE))
    assert isinstance(result, ModelConfig) or result.startswith(f"{SOURCE}: '")
