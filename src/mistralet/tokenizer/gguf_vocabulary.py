"""`GgufVocabulary`: the tokenizer keys of a GGUF file, checked (SPEC 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mistralet.errors import TokenizerError

# ggml's numbers for the kinds of token.
NORMAL, CONTROL = 1, 3

_PREFIX = "tokenizer.ggml."


@dataclass(frozen=True)
class GgufVocabulary:
    """A byte-level vocabulary as a GGUF file holds it."""

    source: str  # the file's name, for errors
    pre: str  # the name of the rule that cuts text before merging
    tokens: list[str]  # written in the byte alphabet, control tokens by their name
    types: list[int]  # one per token
    merges: list[str]  # "left right", the first merge first
    bos_id: int | None
    eos_id: int | None
    adds_bos: bool
    chat_template: str | None

    def ids_of_type(self, kind: int) -> dict[str, int]:
        """Token to id, of the tokens of one kind."""
        pairs = enumerate(zip(self.tokens, self.types, strict=True))
        return {token: index for index, (token, type_) in pairs if type_ == kind}


def vocabulary_from_gguf(metadata: Mapping[str, Any], source: str) -> GgufVocabulary:
    """The vocabulary in the metadata of a GGUF file; `source` names the file in errors.

    Raises:
        TokenizerError: the file has no vocabulary, one of another kind, or one that contradicts itself.
    """
    keys = {key.removeprefix(_PREFIX): value for key, value in metadata.items() if key.startswith(_PREFIX)}
    if keys.get("model") != "gpt2":
        raise TokenizerError(
            f"{source}: '{_PREFIX}model' is {keys.get('model')!r}, but only 'gpt2' (byte-level) is supported; "
            "take a GGUF of a Mistral Small 3 release"
        )
    tokens = _list_of(str, keys, "tokens", source)
    types = _list_of(int, keys, "token_type", source)
    if len(types) != len(tokens):
        raise TokenizerError(f"{source}: has {len(tokens)} tokens but {len(types)} token types; download it again")
    template = metadata.get("tokenizer.chat_template")
    return GgufVocabulary(
        source=source,
        pre=str(keys.get("pre")),
        tokens=tokens,
        types=types,
        merges=_list_of(str, keys, "merges", source),
        bos_id=_id(keys, "bos_token_id", len(tokens), source),
        eos_id=_id(keys, "eos_token_id", len(tokens), source),
        adds_bos=keys.get("add_bos_token") is True,
        chat_template=template if isinstance(template, str) else None,
    )


def _list_of(kind: type, keys: Mapping[str, Any], key: str, source: str) -> list[Any]:
    values = keys.get(key)
    if not isinstance(values, list) or set(map(type, values)) != {kind}:
        raise TokenizerError(
            f"{source}: '{_PREFIX}{key}' is missing or holds something else than {kind.__name__} values; "
            "download the file again"
        )
    return values


def _id(keys: Mapping[str, Any], key: str, vocab_size: int, source: str) -> int | None:
    value = keys.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or not 0 <= value < vocab_size:
        raise TokenizerError(f"{source}: '{_PREFIX}{key}' is {value!r}, but must be an id from 0 to {vocab_size - 1}")
    return value
