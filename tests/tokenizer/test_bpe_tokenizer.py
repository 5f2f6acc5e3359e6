from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mistralet.errors import PromptError, TokenizerError
from mistralet.tokenizer import BpeTokenizer, tokenizer_from_gguf

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "tiny_tokens.json").read_text(encoding="utf-8"))


def small_vocabulary(**changes: Any) -> dict[str, Any]:
    """A vocabulary of three letters, a few merges and two control tokens."""
    values = {
        "model": "gpt2",
        "pre": "smollm",
        "tokens": ["<|endoftext|>", "<|im_end|>", "a", "b", "c", "ab", "abc"],
        "token_type": [3, 3, 1, 1, 1, 1, 1],
        "merges": ["a b", "ab c"],
        "eos_token_id": 0,
    } | changes
    return {f"tokenizer.ggml.{key}": value for key, value in values.items() if value is not None}


@pytest.mark.parametrize("entry", GOLDEN["texts"], ids=lambda entry: ascii(entry["text"][:30]))
def test_ids_are_those_of_llama_cpp(tiny_tokenizer: BpeTokenizer, entry: dict[str, Any]) -> None:
    assert tiny_tokenizer.encode(entry["text"]) == entry["ids"]


def test_decoding_gives_the_text_back(tiny_tokenizer: BpeTokenizer) -> None:
    # SmolLM2's vocabulary lacks the bytes of a few control characters; texts with them are not given back.
    for text in (entry["text"] for entry in GOLDEN["texts"]):
        if not text.startswith(("control", "null")):
            assert tiny_tokenizer.decode(tiny_tokenizer.encode(text)) == text


def test_what_the_tiny_vocabulary_says(tiny_tokenizer: BpeTokenizer) -> None:
    assert tiny_tokenizer.name == "BPE smollm"
    assert tiny_tokenizer.vocab_size == 49152
    assert tiny_tokenizer.bos_id == 1
    assert not tiny_tokenizer.adds_bos
    assert tiny_tokenizer.stop_ids == {0, 2}
    assert tiny_tokenizer.control_id("<|im_start|>") == 1
    assert tiny_tokenizer.token_bytes(1) == b""


def test_names_of_control_tokens_in_text_stay_text(tiny_tokenizer: BpeTokenizer) -> None:
    text = "<|endoftext|><|im_start|><|im_end|><repo_name>"
    ids = tiny_tokenizer.encode(text)
    assert min(ids) > 16
    assert tiny_tokenizer.decode(ids) == text


def test_merges_cannot_make_a_control_token() -> None:
    metadata = small_vocabulary(tokens=["<|endoftext|>", "abc", "a", "b", "c", "ab", "bc"])
    with pytest.raises(TokenizerError, match="does not fit"):
        BpeTokenizer.from_gguf(metadata, "x.gguf")


def test_a_small_vocabulary() -> None:
    tokenizer = tokenizer_from_gguf(small_vocabulary(), "x.gguf", None)
    assert tokenizer.encode("abcaba") == [6, 5, 2]
    assert tokenizer.encode("a\x00b") == [2, 3]
    assert tokenizer.stop_ids == {0, 1}
    assert tokenizer.bos_id is None
    assert not tokenizer.adds_bos


def test_stop_ids_without_chatml() -> None:
    metadata = small_vocabulary(tokens=["<|endoftext|>", "</s>", "a", "b", "c", "ab", "abc"], eos_token_id=1)
    assert BpeTokenizer.from_gguf(metadata, "x.gguf").stop_ids == {1}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"pre": "llama-bpe"}, "'llama-bpe', which is not supported; known are tekken, smollm"),
        ({"pre": None}, "not supported"),
        ({"model": "llama"}, "only 'gpt2'"),
        ({"model": None}, "is None, but only 'gpt2'"),
        ({"tokens": None}, "'tokenizer.ggml.tokens' is missing"),
        ({"tokens": []}, "'tokenizer.ggml.tokens' is missing"),
        ({"tokens": "abc"}, "something else than str"),
        ({"token_type": [3, 3, 1]}, "7 tokens but 3 token types"),
        ({"token_type": [3, 3, 1, 1, 1, 1, 6]}, "unknown kind"),
        ({"tokens": ["<|endoftext|>", "<|im_end|>", "a", "a", "c", "ab", "abc"]}, "occurs twice"),
        ({"tokens": ["<|endoftext|>", "<|im_end|>", "a", "b", "c", "ab", "a c"]}, "byte alphabet"),
        ({"tokens": ["<|endoftext|>", "<|im_end|>", "a", "b", "c", "ab", "\udc80"]}, "byte alphabet"),
        ({"merges": None}, "'tokenizer.ggml.merges' is missing"),
        ({"merges": ["a z"]}, "does not fit the vocabulary"),
        ({"merges": ["ab"]}, "does not fit the vocabulary"),
        ({"merges": ["a b c"]}, "does not fit the vocabulary"),
        ({"merges": ["b c"]}, "does not fit the vocabulary"),
        ({"merges": [["a", "b"]]}, "something else than str"),
        ({"eos_token_id": 7}, "must be an id from 0 to 6"),
        ({"eos_token_id": -1}, "must be an id"),
        ({"bos_token_id": 1.0}, "must be an id"),
    ],
)
def test_damaged_vocabularies(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(TokenizerError, match=problem) as caught:
        tokenizer_from_gguf(small_vocabulary(**changes), "x.gguf", None)
    assert str(caught.value).startswith("x.gguf: ")


def test_ids_outside_the_vocabulary(tiny_tokenizer: BpeTokenizer) -> None:
    for token_id in (-1, 49152):
        with pytest.raises(TokenizerError, match="outside the vocabulary"):
            tiny_tokenizer.decode([token_id])


def test_unknown_control_token(tiny_tokenizer: BpeTokenizer) -> None:
    with pytest.raises(TokenizerError, match="no control token 'user'"):
        tiny_tokenizer.control_id("user")


def test_text_that_cannot_be_encoded(tiny_tokenizer: BpeTokenizer) -> None:
    with pytest.raises(PromptError, match="lone surrogate"):
        tiny_tokenizer.encode("\udfff")
