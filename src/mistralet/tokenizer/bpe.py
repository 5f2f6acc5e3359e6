"""`BpeTokenizer`: the byte-level BPE inside a GGUF file, run by the `tokenizers` library.

Bytes that a vocabulary lacks (SmolLM2's lacks a few control characters) are left out of the ids, as the library does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mistralet.errors import TokenizerError
from mistralet.tokenizer.base import require_id, require_text
from mistralet.tokenizer.byte_alphabet import bytes_of_token
from mistralet.tokenizer.gguf_vocabulary import CONTROL, NORMAL, GgufVocabulary, vocabulary_from_gguf

if TYPE_CHECKING:
    import tokenizers

_GPT2_WORDS = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
_SINGLE_DIGITS = {"type": "Digits", "individual_digits": True}

# How text is cut before merging, by `tokenizer.ggml.pre`, in the terms of the `tokenizers` library.
PRE_TOKENIZERS: dict[str, list[dict[str, object]]] = {"smollm": [_SINGLE_DIGITS, _GPT2_WORDS]}

# Whatever its file calls the end, a ChatML model also ends its answer with either of these.
_CHATML_STOPS = ("<|im_end|>", "<|endoftext|>")


class BpeTokenizer:
    """A `Tokenizer` over the vocabulary of one GGUF file."""

    def __init__(self, vocabulary: GgufVocabulary) -> None:
        self.name = f"BPE {vocabulary.pre}"
        self.vocab_size = len(vocabulary.tokens)
        self.bos_id = vocabulary.bos_id
        self.adds_bos = vocabulary.adds_bos and vocabulary.bos_id is not None
        self.chat_template = vocabulary.chat_template
        self._source = vocabulary.source
        self._control_ids = vocabulary.ids_of_type(CONTROL)
        self.stop_ids = _stop_ids(vocabulary.eos_id, self._control_ids)
        self._bytes = [
            b"" if kind == CONTROL else bytes_of_token(token, vocabulary.source)
            for token, kind in zip(vocabulary.tokens, vocabulary.types, strict=True)
        ]
        self._encoder = _build_encoder(vocabulary)

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any], source: str) -> BpeTokenizer:
        """The tokenizer in the metadata of a GGUF file; `source` names the file in errors.

        Raises:
            TokenizerError: the vocabulary is damaged, or is cut by a rule that is not in `PRE_TOKENIZERS`.
        """
        return cls(vocabulary_from_gguf(metadata, source))

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer.encode`."""
        return self._encoder.encode(require_text(text), add_special_tokens=False).ids

    def token_bytes(self, token_id: int) -> bytes:
        """See `Tokenizer.token_bytes`."""
        return self._bytes[require_id(token_id, self.vocab_size)]

    def decode(self, ids: Iterable[int]) -> str:
        """See `Tokenizer.decode`."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def control_id(self, name: str) -> int:
        """See `Tokenizer.control_id`."""
        if name not in self._control_ids:
            raise TokenizerError(f"{self._source}: the vocabulary has no control token '{name}'")
        return self._control_ids[name]


def _stop_ids(eos_id: int | None, control_ids: Mapping[str, int]) -> frozenset[int]:
    stops = set() if eos_id is None else {eos_id}
    if _CHATML_STOPS[0] in control_ids:
        stops |= {control_ids[name] for name in _CHATML_STOPS if name in control_ids}
    return frozenset(stops)


def _build_encoder(vocabulary: GgufVocabulary) -> tokenizers.Tokenizer:
    import tokenizers

    source = vocabulary.source
    if vocabulary.pre not in PRE_TOKENIZERS:
        raise TokenizerError(
            f"{source}: 'tokenizer.ggml.pre' is '{vocabulary.pre}', which is not supported; "
            f"known are tekken, {', '.join(PRE_TOKENIZERS)}"
        )
    # Control tokens are kept from the merges, so that no text whatever can become one.
    normal = vocabulary.ids_of_type(NORMAL)
    if len(normal) + len(vocabulary.ids_of_type(CONTROL)) != len(vocabulary.tokens):
        raise TokenizerError(
            f"{source}: a token occurs twice or is of an unknown kind in 'tokenizer.ggml.token_type'; "
            "download the file again"
        )
    _check_merges(vocabulary.merges, normal, source)
    description = {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[vocabulary.pre]},
        "model": {"type": "BPE", "vocab": normal, "merges": vocabulary.merges},
    }
    return tokenizers.Tokenizer.from_str(json.dumps(description))


def _check_merges(merges: list[str], tokens: Mapping[str, int], source: str) -> None:
    # The library panics on some of these instead of raising.
    for merge in merges:
        left, _, right = merge.partition(" ")
        if not (left in tokens and right in tokens and left + right in tokens):
            raise TokenizerError(f"{source}: the merge {merge!r} does not fit the vocabulary; download the file again")
