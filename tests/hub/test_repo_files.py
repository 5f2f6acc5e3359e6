"""Which files of a repository make up a model, decided from names alone."""

from __future__ import annotations

import pytest

from mistralet.errors import ModelNotFoundError
from mistralet.hub.names import HubModel
from mistralet.hub.repo_files import choose_files, gguf_texts, has_all_shards

REPO = "org/name"
QUANTIZATIONS = (
    "IQ4_XS",
    "IQ4_NL",
    "Q4_0",
    "Q4_K_S",
    "Q4_K_M",
    "Q4_K_L",
    "Q4_K_M_L",
    "Q5_K_M",
    "Q6_K",
    "Q6_K_L",
    "Q8_0",
)
LISTING = [f"org_Name-3.2-24B-{tag}.gguf" for tag in (*QUANTIZATIONS, "bf16")]


@pytest.mark.parametrize("tag", [*QUANTIZATIONS, "BF16", "q4_k_m"])
def test_a_tag_names_exactly_one_file(tag: str) -> None:
    stored = "bf16" if tag == "BF16" else tag.upper()
    assert choose_files(HubModel(REPO, tag), LISTING).names == (f"org_Name-3.2-24B-{stored}.gguf",)


def test_without_a_tag_q4_k_m_is_taken_or_the_only_file() -> None:
    assert choose_files(HubModel(REPO), LISTING).gguf == "org_Name-3.2-24B-Q4_K_M.gguf"
    assert choose_files(HubModel(REPO), ["model.gguf", "mmproj.gguf"]).names == ("mmproj.gguf", "model.gguf")


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (["mmproj-bf16.gguf", "mmproj-f16.gguf", "mmproj-Q8_0.gguf"], "mmproj-f16.gguf"),
        (["mmproj-BF16.gguf", "mmproj-Q8_0.gguf", "mmproj-F32.gguf"], "mmproj-BF16.gguf"),
        (["name-mmproj-Q8_0.gguf"], "name-mmproj-Q8_0.gguf"),
        (["vision/mmproj-f16.gguf"], None),
    ],
)
def test_the_vision_encoder_beside_it(present: list[str], chosen: str | None) -> None:
    names = choose_files(HubModel(REPO, "Q8_0"), ["m-Q8_0.gguf", *present]).names
    assert names == (("m-Q8_0.gguf",) if chosen is None else (chosen, "m-Q8_0.gguf"))


def test_a_tag_asks_for_gguf_even_where_there_are_safetensors() -> None:
    listing = ["params.json", "consolidated.safetensors", "m-Q8_0.gguf"]
    assert choose_files(HubModel(REPO, "Q8_0"), listing).format == "gguf"
    assert choose_files(HubModel(REPO), listing).format == "native"


def test_configuration_without_weights_is_no_model() -> None:
    listing = ["params.json", "config.json", "model.safetensors", "x/consolidated.safetensors", "pytorch_model.bin"]
    assert choose_files(HubModel(REPO), listing).names == ("config.json", "model.safetensors")


def test_of_two_tokenizers_the_models_own_is_taken() -> None:
    listing = ["config.json", "model.safetensors", "tekken.json", "tokenizer.json"]
    assert choose_files(HubModel(REPO), listing).names == ("config.json", "model.safetensors", "tekken.json")


@pytest.mark.parametrize(
    ("tag", "listing", "message"),
    [
        (None, ["README.md", "pytorch_model.bin", "config.json"], "org/name has no files mistralet can read"),
        ("Q8_0", ["config.json", "model.safetensors"], "org/name has no GGUF files mistralet can read"),
        ("Q3_K_M", LISTING, r"no GGUF file with the tag Q3_K_M; name one .* 'org/name:TAG': \S+IQ4_NL.gguf, "),
        ("K_M", LISTING, "no GGUF file with the tag K_M"),
        (".*", LISTING, "no GGUF file with the tag"),
        (None, ["a-Q4_K_M.gguf", "b-Q4_K_M.gguf"], "has 2 GGUF files with the tag Q4_K_M; .*: a-Q4_K_M.gguf, b-Q4"),
        ("bf16", [f"bf16/m-bf16-0000{n}-of-00002.gguf" for n in (1, 2)], r"only in several parts \(m-bf16-00001-of"),
        (None, [f"m-Q2_{n:02}.gguf" for n in range(14)], r": m-Q2_00.gguf, .*, m-Q2_11.gguf and 2 more\."),
        ("Q8_0", ["../m-Q8_0.gguf", "/m-Q8_0.gguf", "a\\m-Q8_0.gguf", "a/../../m-Q8_0.gguf"], "no GGUF files"),
    ],
)
def test_refusals_say_what_there_is(tag: str | None, listing: list[str], message: str) -> None:
    with pytest.raises(ModelNotFoundError, match=rf"\A[^\n]*{message}[^\n]*\Z"):
        choose_files(HubModel(REPO, tag), listing)


def test_shards() -> None:
    assert has_all_shards(["config.json", "model.safetensors"])
    assert has_all_shards([f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)])
    assert not has_all_shards([f"model-0000{n}-of-00003.safetensors" for n in (1, 3)])


def test_text_files_are_told_from_vision_encoders() -> None:
    assert gguf_texts(["mmproj-a.gguf", "b.gguf", "a.gguf", "a.bin"]) == ["a.gguf", "b.gguf"]
