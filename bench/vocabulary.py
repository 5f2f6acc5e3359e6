"""A made-up Tekken vocabulary that both programs accept; its pieces mean nothing."""

from __future__ import annotations

from itertools import islice, product
from string import ascii_lowercase
from typing import Any

from gguf.vocab import bytes_to_unicode

from mistralet.tokenizer.gguf_vocabulary import CONTROL, NORMAL
from mistralet.tokenizer.tekken import CONTROL_TOKENS

BOS, EOS, UNKNOWN, PADDING = 1, 2, 0, 11
_NAMED = {UNKNOWN: "<unk>", BOS: "<s>", EOS: "</s>", 10: "[IMG]", PADDING: "<pad>", 12: "[IMG_BREAK]", 13: "[IMG_END]"}


def vocabulary_metadata(size: int) -> dict[str, Any]:
    """The `tokenizer.ggml` keys, without that prefix, of a vocabulary of `size` tokens (at least 1,256)."""
    control = [_NAMED.get(index, f"<SPECIAL_{index}>") for index in range(CONTROL_TOKENS)]
    alphabet = bytes_to_unicode()
    single_bytes = [alphabet[byte] for byte in range(256)]
    words = map("".join, product(ascii_lowercase, repeat=4))
    pieces = single_bytes + list(islice(words, size - CONTROL_TOKENS - 256))
    return {
        "model": "gpt2",
        "pre": "tekken",
        "tokens": control + pieces,
        "token_type": [CONTROL] * len(control) + [NORMAL] * len(pieces),
        "merges": ["a a", "aa aa", "a b"],
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "unknown_token_id": UNKNOWN,
        "padding_token_id": PADDING,
        "add_bos_token": True,
    }
