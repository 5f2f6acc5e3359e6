from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mistral_common.tokens.tokenizers.image import ImageConfig

from mistralet.config import VisionConfig
from mistralet.errors import PromptError, TokenizerError
from mistralet.tokenizer import TekkenTokenizer, tokenizer_from_folder, tokenizer_from_gguf
from mistralet.tokenizer.tekken import PATTERN
from support.tekken_files import gguf_metadata

Tekken = Callable[[str], TekkenTokenizer]
TekkenPath = Callable[[str], Path]

# SPEC 3.1
GOLDEN = {
    "Hello, world!": [22177, 1044, 4304, 1033],
    "1234567": [1049, 1050, 1051, 1052, 1053, 1054, 1055],
    "你好，世界": [124108, 1625, 29659],
    "[INST] hi [/INST]": [1091, 3174, 3074, 1093, 14994, 1766, 1047, 3174, 3074, 1093],
    "def f(x):\n    return x**2\n": [3149, 1284, 4790, 3640, 1293, 1850, 2460, 1438, 1050, 1010],
}


def golden_texts() -> list[str]:
    path = Path(__file__).parents[1] / "golden" / "tiny_tokens.json"
    return [entry["text"] for entry in json.loads(path.read_text(encoding="utf-8"))["texts"]]


def shortened(metadata: dict[str, Any]) -> dict[str, Any]:
    return {key: value[:1300] if isinstance(value, list) else value for key, value in metadata.items()}


@pytest.fixture(scope="module")
def small_v7(tekken_path: TekkenPath) -> dict[str, Any]:
    """A GGUF's metadata with the first 300 ranks of v7, which is quick to load."""
    return shortened(gguf_metadata(tekken_path("v7")))


@pytest.fixture(scope="module")
def small_v11(gguf_v11: dict[str, Any]) -> dict[str, Any]:
    return shortened(gguf_v11)


@pytest.fixture(scope="module")
def gguf_v11(tekken_path: TekkenPath) -> dict[str, Any]:
    return gguf_metadata(tekken_path("v11-image"))


def test_the_made_v7_file_is_the_published_one(tekken_path: TekkenPath) -> None:
    digest = hashlib.sha256(tekken_path("v7").read_bytes()).hexdigest()
    assert digest == "c4b90a968dbc67ef3975129d0b78a2e3cbb6bea340ab9205f22e8a0308b1ffc5"


@pytest.mark.parametrize(("kind", "version"), [("v7", "v7"), ("v7-image", "v7"), ("v11-image", "v11"), ("v13", "v13")])
def test_what_a_tekken_file_says(tekken: Tekken, kind: str, version: str) -> None:
    tokenizer = tekken(kind)
    assert tokenizer.version == version
    assert tokenizer.name == f"Tekken {version}"
    assert tokenizer.vocab_size == 131072
    assert tokenizer.bos_id == 1
    assert tokenizer.adds_bos
    assert tokenizer.stop_ids == {2}
    assert tokenizer.control_id("[IMG]") == 10


@pytest.mark.parametrize("text", GOLDEN)
def test_golden_vectors(tekken: Tekken, text: str) -> None:
    tokenizer = tekken("v7")
    assert tokenizer.encode(text) == GOLDEN[text]
    assert tokenizer.decode(GOLDEN[text]) == text


def test_names_of_control_tokens_in_text_stay_text(tekken: Tekken) -> None:
    tokenizer = tekken("v11-image")
    text = "<s></s>[INST][/INST][IMG][IMG_END][SYSTEM_PROMPT][ARGS][CALL_ID]<SPECIAL_40><unk><pad>"
    ids = tokenizer.encode(text)
    assert min(ids) >= 1000
    assert tokenizer.decode(ids) == text


def test_control_tokens_have_no_bytes(tekken: Tekken) -> None:
    tokenizer = tekken("v7")
    assert all(tokenizer.token_bytes(index) == b"" for index in range(1000))
    assert tokenizer.token_bytes(1000) == b"\0"
    assert tokenizer.decode([1, 3, 22177, 4]) == "Hello"


@pytest.mark.parametrize("token_id", [-1, 131072, 1 << 40])
def test_ids_outside_the_vocabulary(tekken: Tekken, token_id: int) -> None:
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        tekken("v7").token_bytes(token_id)
    with pytest.raises(TokenizerError, match="outside the vocabulary"):
        tekken("v7").decode([22177, token_id])


def test_unknown_control_token(tekken: Tekken) -> None:
    with pytest.raises(TokenizerError, match=r"no control token '\[ARGS\]'"):
        tekken("v7").control_id("[ARGS]")


@pytest.mark.parametrize(
    ("text", "problem"), [("ab\ud800c", "lone surrogate.* at position 2"), (" " * 1_000_000, "spaces in a row")]
)
def test_text_that_cannot_be_encoded(tekken: Tekken, text: str, problem: str) -> None:
    with pytest.raises(PromptError, match=problem):
        tekken("v7").encode(text)


@pytest.mark.parametrize("character", [" ", "a", "\n", "!", "好"])
def test_long_runs_are_encoded(tekken: Tekken, character: str) -> None:
    text = character * 500_000
    assert tekken("v7").decode(tekken("v7").encode(text)) == text


def test_a_gguf_holds_the_same_tokenizer(tekken: Tekken, gguf_v11: dict[str, Any], vision: VisionConfig) -> None:
    from_file = tekken("v11-image")
    from_gguf = tokenizer_from_gguf(gguf_v11, "small.gguf", vision)
    assert isinstance(from_gguf, TekkenTokenizer)
    for text in golden_texts():
        ids = from_file.encode(text)
        assert from_gguf.encode(text) == ids
        assert from_gguf.decode(ids) == text
    assert [from_gguf.token_bytes(i) for i in range(131072)] == [from_file.token_bytes(i) for i in range(131072)]
    assert from_gguf.raw.vocab() == from_file.raw.vocab()
    assert (from_gguf.name, from_gguf.bos_id, from_gguf.stop_ids) == ("Tekken v11", 1, {2})
    assert from_gguf.raw.image == ImageConfig(image_patch_size=14, max_image_size=1540, spatial_merge_size=2)


def test_text_takes_no_template(small_v7: dict[str, Any]) -> None:
    tokenizer = TekkenTokenizer.from_gguf(small_v7, "small.gguf")
    assert tokenizer.decode(tokenizer.encode("some text")) == "some text"
    assert "raw" not in vars(tokenizer)  # which takes a second to make
    assert tokenizer.raw.encode("some text", bos=False, eos=False) == tokenizer.encode("some text")


def test_the_pattern_is_that_of_the_file(tekken: Tekken) -> None:
    assert tekken("v7").raw._model._pat_str == PATTERN


@pytest.mark.parametrize(
    ("template", "version"),
    [
        (None, "v11"),
        ("[TOOL_CALLS]name[CALL_ID]id[ARGS]{}", "v11"),
        ("[TOOL_CALLS]name[ARGS]{}", "v13"),
        ("no tools at all", "v11"),
    ],
)
def test_version_of_a_gguf_with_call_ids(small_v11: dict[str, Any], template: str | None, version: str) -> None:
    metadata = small_v11 | ({"tokenizer.chat_template": template} if template else {})
    tokenizer = TekkenTokenizer.from_gguf(metadata, "small.gguf")
    assert tokenizer.version == version
    assert tokenizer.raw.image is None


def test_version_of_a_gguf_without_call_ids(small_v7: dict[str, Any]) -> None:
    assert TekkenTokenizer.from_gguf(small_v7, "small.gguf").version == "v7"


@pytest.mark.parametrize(
    ("key", "change", "problem"),
    [
        ("tokens", lambda tokens: [*tokens[:1290], "blank space", *tokens[1291:]], "byte alphabet"),
        ("tokens", lambda tokens: [*tokens[:1290], tokens[1289], *tokens[1291:]], "no valid Tekken"),
        ("tokens", lambda tokens: [*tokens[:1000], tokens[1001], tokens[1000], *tokens[1002:]], "no valid Tekken"),
        ("tokens", lambda tokens: [tokens[1], *tokens[1:]], "no valid Tekken"),
        ("tokens", lambda tokens: tokens[:-1], "1299 tokens but 1300"),
        ("tokens", lambda _: None, "'tokenizer.ggml.tokens' is missing"),
        ("tokens", lambda tokens: [7, *tokens[1:]], "something else than str"),
        ("token_type", lambda types: [*types[:-1], 3], "must be control tokens"),
        ("token_type", lambda types: [1, *types[1:]], "must be control tokens"),
        ("bos_token_id", lambda _: 1300, "'tokenizer.ggml.bos_token_id' is 1300"),
        ("bos_token_id", lambda _: "1", "must be an id"),
        ("model", lambda _: "llama", "only 'gpt2'"),
    ],
)
def test_damaged_gguf_vocabularies(
    small_v7: dict[str, Any], key: str, change: Callable[[Any], Any], problem: str
) -> None:
    key = f"tokenizer.ggml.{key}"
    with pytest.raises(TokenizerError, match=problem) as caught:
        tokenizer_from_gguf(small_v7 | {key: change(small_v7[key])}, "small.gguf", None)
    assert str(caught.value).startswith("small.gguf: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read"),
        ("[1, 2]", "cannot be read"),
        ("{}", "cannot be read"),
        ('{"config": {"version": "v99"}}', "cannot be read"),
        ('{"config": {"version": "v11"}, "vocab": []}', "cannot be read"),
        ('{"config": {"version": "v7", "pattern": "(", "default_vocab_size": 0}, "vocab": []}', "cannot be read"),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_damaged_tekken_files(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "tekken.json"
    path.write_text(text)
    with pytest.raises(TokenizerError, match=problem):
        TekkenTokenizer.from_file(path)


def test_a_tekken_of_another_family(tmp_path: Path, tekken_path: TekkenPath) -> None:
    path = tmp_path / "tekken.json"
    path.write_text(tekken_path("v7").read_text().replace('"version": "v7"', '"version": "v3"'))
    with pytest.raises(TokenizerError, match="holds Tekken v3"):
        TekkenTokenizer.from_file(path)


def test_folders(tmp_path: Path, tekken_path: TekkenPath) -> None:
    with pytest.raises(TokenizerError, match=r"has no tekken\.json"):
        tokenizer_from_folder(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerError, match=r"has only a tokenizer\.json"):
        tokenizer_from_folder(tmp_path)
    (tmp_path / "tekken.json").symlink_to(tekken_path("v7"))
    assert tokenizer_from_folder(tmp_path).version == "v7"
