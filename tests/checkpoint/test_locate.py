"""Which of the files in a folder are taken for the model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

from mistralet.checkpoint import open_checkpoint
from mistralet.errors import CheckpointError, ConfigError, MistraletError
from support.gguf_bytes import STRING, U32, key, scalar
from support.published import CONFIG_3_0, PARAMS_3_0
from support.random_models import TEXT, random_weights
from support.tiny_gguf import MMPROJ_KEYS, TEXT_KEYS, tiny_gguf


def refusal(path: Path, error: type[MistraletError] = CheckpointError) -> str:
    with pytest.raises(error) as raised:
        open_checkpoint(path)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def put(folder: Path, *names: str) -> None:
    """Files with just enough in them to be opened: configurations of release 3.0, and tiny weights."""
    for name in names:
        file = folder / name
        if name.endswith(".json"):
            file.write_text(json.dumps({"params.json": PARAMS_3_0, "config.json": CONFIG_3_0}[name]))
        elif name.endswith(".gguf"):
            file.write_bytes(tiny_gguf(MMPROJ_KEYS if "mmproj" in name.lower() else TEXT_KEYS))
        else:
            save_file({"x": random_weights(TEXT)["norm.weight"]}, file)


@pytest.mark.parametrize(
    ("names", "format_"),
    [
        (["params.json", "consolidated.safetensors"], "native"),
        (["config.json", "model.safetensors"], "huggingface"),
        (["model.gguf"], "gguf"),
        (["params.json", "config.json", "model.safetensors"], "huggingface"),
        (["params.json", "config.json", "consolidated.safetensors"], "native"),
        (["params.json", "config.json", "consolidated.safetensors", "model.safetensors"], "native"),
        # Repositories of GGUF files hold the original's configuration too.
        (["config.json", "model.gguf"], "gguf"),
        (["params.json", "model.gguf"], "gguf"),
        (["params.json", "config.json", "model.gguf", "mmproj-model.gguf"], "gguf"),
        (["config.json", "model.safetensors", "model.gguf"], "huggingface"),
        (["params.json", "consolidated.safetensors", "model.gguf"], "native"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else value,
)
def test_the_format_is_that_of_the_weights(names: list[str], format_: str, tmp_path: Path) -> None:
    put(tmp_path, *names)
    assert open_checkpoint(tmp_path).format == format_


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "holds no model (no params.json, config.json or .gguf file)"),
        (["mmproj.gguf"], "holds no model (no params.json, config.json or .gguf file)"),
        (["params.json"], "has no consolidated.safetensors"),
        (["config.json"], "has no model.safetensors"),
        (["config.json", "mmproj.gguf"], "has no model.safetensors"),
        (["a.gguf", "b.gguf"], "holds 2 GGUF files; name one, for example a.gguf"),
        (["config.json", "a.gguf", "b.gguf"], "holds 2 GGUF files; name one, for example a.gguf"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else "",
)
def test_a_folder_without_one_model_is_refused(names: list[str], sentence: str, tmp_path: Path) -> None:
    put(tmp_path, *names)
    assert sentence in refusal(tmp_path)


def test_a_path_that_does_not_exist_holds_no_model(tmp_path: Path) -> None:
    assert "holds no model" in refusal(tmp_path / "gone")


def test_a_folder_whose_name_ends_like_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").mkdir()
    (tmp_path / "mmproj.gguf").mkdir()
    assert "holds no model" in refusal(tmp_path)
    put(tmp_path, "other.gguf")
    assert open_checkpoint(tmp_path).config.vision is None


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "params.json", "consolidated.safetensors")
    assert "name a .gguf file or a folder" in refusal(tmp_path / "consolidated.safetensors")


def test_the_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    put(tmp_path, "model.gguf")
    assert open_checkpoint((tmp_path / "model.gguf").rename(tmp_path / "MODEL.GGUF")).format == "gguf"


@pytest.mark.parametrize("name", ["mmproj-model-f16.gguf", "model.mmproj.gguf", "MMPROJ.gguf"])
def test_the_mmproj_beside_a_text_file_gives_it_vision(name: str, tmp_path: Path) -> None:
    put(tmp_path, "model.gguf", name)
    for path in (tmp_path, tmp_path / "model.gguf"):
        vision = open_checkpoint(path).config.vision
        assert vision is not None
        assert vision.num_hidden_layers == 1


def test_of_several_mmproj_files_none_is_guessed(tmp_path: Path) -> None:
    put(tmp_path, "model.gguf", "mmproj-f16.gguf", "mmproj-q8.gguf")
    assert "(mmproj-f16.gguf, mmproj-q8.gguf); keep the one that fits model.gguf" in refusal(tmp_path)


def test_an_mmproj_named_as_the_model_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "model.gguf", "mmproj.gguf")
    assert "holds only a vision encoder" in refusal(tmp_path / "mmproj.gguf")


@pytest.mark.parametrize("name", ["model-00001-of-00002.gguf", "renamed.gguf"])
def test_a_part_of_a_split_file_is_refused_by_its_name_or_its_keys(name: str, tmp_path: Path) -> None:
    """llama.cpp numbers the parts and states in each how many there are."""
    parts = [key("split.count", scalar(U32, 2))] if name == "renamed.gguf" else []
    (tmp_path / name).write_bytes(tiny_gguf([*TEXT_KEYS, *parts]))
    assert "one part of a split GGUF; join the parts" in refusal(tmp_path)


def test_a_file_split_into_one_part_is_whole(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(tiny_gguf([*TEXT_KEYS, key("split.count", scalar(U32, 1))]))
    assert open_checkpoint(tmp_path).format == "gguf"


def test_the_single_file_of_ollama_is_refused(tmp_path: Path) -> None:
    keys = [
        key("general.architecture", scalar(STRING, "mistral3")),
        key("mistral3.vision.block_count", scalar(U32, 24)),
    ]
    (tmp_path / "model.gguf").write_bytes(tiny_gguf(keys))
    sentence = refusal(tmp_path, ConfigError)
    assert "take a release with the vision encoder in a separate mmproj file" in sentence


def test_an_mmproj_of_another_width_is_refused(tmp_path: Path) -> None:
    put(tmp_path, "model.gguf")
    wide = [entry for entry in MMPROJ_KEYS if b"projection_dim" not in entry]
    wide.append(key("clip.vision.projection_dim", scalar(U32, 5120)))
    (tmp_path / "mmproj.gguf").write_bytes(tiny_gguf(wide))
    sentence = refusal(tmp_path, ConfigError)
    assert sentence.startswith(f"{tmp_path / 'mmproj.gguf'}: 'clip.vision.projection_dim' is 5120, but only 48 ")
