"""`config.json`: the published files in the layouts of old and new transformers, and what is refused of others."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from mistralet.config import ModelConfig, config_from_hf, config_from_native
from mistralet.errors import ConfigError
from support.published import CONFIG_3_0, CONFIG_3_1, PARAMS_3_0, PARAMS_3_2, SMALL_3_0, SMALL_3_2
from support.tables import NO_COUNTS, NO_NUMBERS, REMOVED, Path, changed, damaged, outcome

SOURCE = "folder/config.json"


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as raised:
        config_from_hf(values, SOURCE)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
    return str(raised.value)


def as_new_transformers_writes_it(table: dict[str, Any]) -> dict[str, Any]:
    """`rope_parameters` in place of `rope_theta`, `image_token_id` besides `image_token_index`, `dtype`."""
    table = copy.deepcopy(table)
    for part in (table, table.get("text_config", {}), table.get("vision_config", {})):
        if "rope_theta" in part:
            part["rope_parameters"] = {"rope_theta": part.pop("rope_theta"), "rope_type": "default"}
    table["dtype"] = table.pop("torch_dtype")
    if "image_token_index" in table:
        table |= {"image_token_id": 10, "tie_word_embeddings": False}
    return table


NEW_3_0, NEW_3_1 = as_new_transformers_writes_it(CONFIG_3_0), as_new_transformers_writes_it(CONFIG_3_1)


@pytest.mark.parametrize(
    ("table", "config"),
    [(CONFIG_3_0, SMALL_3_0), (NEW_3_0, SMALL_3_0), (CONFIG_3_1, SMALL_3_2), (NEW_3_1, SMALL_3_2)],
    ids=["3.0-old", "3.0-new", "3.1-old", "3.1-new"],
)
def test_the_published_file_gives_exactly_the_releases_numbers(table: dict[str, Any], config: ModelConfig) -> None:
    assert config_from_hf(table, SOURCE) == config


@pytest.mark.parametrize(("table", "params"), [(CONFIG_3_0, PARAMS_3_0), (CONFIG_3_1, PARAMS_3_2)])
def test_both_formats_of_a_release_give_equal_configs(table: dict[str, Any], params: dict[str, Any]) -> None:
    assert config_from_hf(table, "a") == config_from_native(params, "b")


def test_a_head_is_as_wide_as_stated_not_what_the_width_divides_into() -> None:
    assert config_from_hf(CONFIG_3_1, SOURCE).head_dim == 128
    without = config_from_hf(changed(CONFIG_3_1, ("text_config", "head_dim"), REMOVED), SOURCE)
    assert without.head_dim == 5120 // 32


@pytest.mark.parametrize(
    ("outer", "inner", "tied"),
    [
        (REMOVED, REMOVED, False),  # transformers' own default would be true (SPEC G1)
        (True, REMOVED, True),
        (False, True, False),
        (REMOVED, True, True),
    ],
)
def test_embeddings_are_tied_only_if_the_file_says_so(outer: Any, inner: Any, tied: bool) -> None:
    table = changed(CONFIG_3_1, ("tie_word_embeddings",), None)
    for path, value in ((("tie_word_embeddings",), outer), (("text_config", "tie_word_embeddings"), inner)):
        if value is not REMOVED:
            table = changed(table, path, value)
    assert config_from_hf(table, SOURCE).tie_word_embeddings is tied


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("vision_config", "num_channels"), REMOVED),
        (("vision_config", "head_dim"), REMOVED),
        (("image_token_index",), REMOVED),
        (("vision_feature_layer",), REMOVED),
        (("text_config", "sliding_window"), 131_072),
        (("text_config", "rope_scaling"), {"rope_type": "default"}),
        (("text_config", "rope_scaling"), {"type": "default"}),
        (("text_config", "rope_parameters"), {"rope_theta": 1e9, "rope_type": "default"}),
        (("quantization_config",), None),
    ],
)
def test_what_may_be_absent_or_written_in_another_way(path: Path, value: Any) -> None:
    assert config_from_hf(changed(CONFIG_3_1, path, value), SOURCE) == SMALL_3_2


def test_image_tokens_are_those_of_the_file() -> None:
    table = changed(CONFIG_3_1, ("image_token_index",), 19)
    vision = SMALL_3_2.vision
    assert vision is not None
    assert config_from_hf(table, SOURCE) == replace(SMALL_3_2, vision=replace(vision, image_token_id=19))


TEXT_KEYS = [
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "max_position_embeddings",
]
VISION_KEYS = [
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "patch_size",
    "image_size",
]
NUMBERS: list[Path] = [("text_config", "rms_norm_eps"), ("text_config", "rope_theta"), ("vision_config", "rope_theta")]
REQUIRED: list[Path] = [
    *(("text_config", key) for key in TEXT_KEYS),
    *(("vision_config", key) for key in VISION_KEYS),
    *NUMBERS,
    ("model_type",),
    ("text_config",),
    ("vision_config",),
    ("spatial_merge_size",),
]
COUNTS: list[Path] = [
    *(("text_config", key) for key in (*TEXT_KEYS, "head_dim", "sliding_window")),
    *(("vision_config", key) for key in (*VISION_KEYS, "head_dim", "num_channels")),
    ("spatial_merge_size",),
    ("image_token_index",),
]


@pytest.mark.parametrize("value", [REMOVED, None])
@pytest.mark.parametrize("path", REQUIRED)
def test_a_missing_key_is_named(path: Path, value: Any) -> None:
    assert refusal(changed(CONFIG_3_1, path, value)) == f"{SOURCE}: '{'.'.join(path)}' is missing"


@pytest.mark.parametrize("path", COUNTS, ids=".".join)
def test_a_count_must_be_a_whole_number_in_reason(path: Path) -> None:
    for value in NO_COUNTS:
        assert refusal(changed(CONFIG_3_1, path, value)).startswith(f"{SOURCE}: '{'.'.join(path)}' is ")


@pytest.mark.parametrize("path", NUMBERS, ids=".".join)
def test_a_measure_must_be_a_positive_number_in_reason(path: Path) -> None:
    for value in NO_NUMBERS:
        assert refusal(changed(CONFIG_3_1, path, value)).startswith(f"{SOURCE}: '{'.'.join(path)}' is ")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        (("model_type",), "mixtral", "'model_type' is 'mixtral', but only 'mistral' or 'mistral3' is supported"),
        (("model_type",), ["mistral"], "'model_type' is ['mistral']"),
        (("tie_word_embeddings",), 1, "'tie_word_embeddings' is 1, but must be true or false"),
        (("projector_hidden_act",), "relu", "'projector_hidden_act' is 'relu'"),
        (("multimodal_projector_bias",), True, "'multimodal_projector_bias' is True"),
        (("vision_feature_layer",), -2, "'vision_feature_layer' is -2"),
        (("image_token_id",), 11, "'image_token_id' contradicts image_token_index (10)"),
        (("image_token_index",), 131_072, "'image_token_index' is 131072, but the vocabulary ends at 131071"),
        (("text_config",), "mistral", "'text_config' must be a table"),
        (("text_config", "model_type"), "llama", "'text_config.model_type' is 'llama'"),
        (("text_config", "hidden_act"), "gelu", "'text_config.hidden_act' is 'gelu'"),
        (("text_config", "attention_bias"), True, "'text_config.attention_bias' is True"),
        (("text_config", "sliding_window"), 4096, "'text_config.sliding_window' is shorter than the context"),
        (("text_config", "num_key_value_heads"), 5, "'text_config.num_attention_heads' is 32, which is not a multiple"),
        (("text_config", "head_dim"), 127, "'text_config.head_dim' is 127, which is not a multiple"),
        (("text_config", "rope_scaling"), {"type": "linear", "factor": 8.0}, "'text_config.rope_scaling.type' is"),
        (("text_config", "rope_scaling"), {"rope_type": "yarn"}, "'text_config.rope_scaling.rope_type' is 'yarn'"),
        (("text_config", "rope_scaling"), {"factor": 8.0}, "'text_config.rope_scaling.rope_type' is missing"),
        (("text_config", "rope_scaling"), 8, "'text_config.rope_scaling' must be a table"),
        (
            ("text_config", "rope_parameters"),
            {"rope_theta": 1e9, "rope_type": "yarn"},
            "'text_config.rope_parameters.rope_type' is 'yarn'",
        ),
        (
            ("text_config", "rope_parameters"),
            {"rope_theta": 1e8, "rope_type": "default"},
            "'text_config.rope_theta' contradicts rope_parameters.rope_theta (1e+08)",
        ),
        (
            ("text_config", "rope_parameters"),
            {"rope_type": "default"},
            "'text_config.rope_parameters.rope_theta' is missing",
        ),
        (("vision_config", "model_type"), "siglip", "'vision_config.model_type' is 'siglip'"),
        (("vision_config", "hidden_act"), "gelu", "the encoder was trained with silu"),
        (
            ("vision_config", "head_dim"),
            32,
            "'vision_config.head_dim' contradicts hidden_size / num_attention_heads (64)",
        ),
        (("vision_config", "num_attention_heads"), 15, "which is not a multiple of num_attention_heads (15)"),
        (("vision_config", "image_size"), 27, "'vision_config.image_size' is 27, but one token covers 28 pixels"),
    ],
)
def test_what_the_model_does_not_have_or_contradicts_itself_is_refused(path: Path, value: Any, sentence: str) -> None:
    message = refusal(changed(CONFIG_3_1, path, value))
    assert message.startswith(f"{SOURCE}: ")
    assert sentence in message


@settings(max_examples=100, deadline=None, derandomize=True)
@given(values=damaged(CONFIG_3_0, CONFIG_3_1, NEW_3_1))
def test_any_json_object_gives_a_config_or_a_config_error(values: dict[str, Any]) -> None:
    result = outcome(lambda: config_from_hf(values, SOURCE))
    assert isinstance(result, ModelConfig) or result.startswith(f"{SOURCE}: '")
