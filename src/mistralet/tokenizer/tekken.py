"""`TekkenTokenizer`: Mistral's vocabulary since 2024, through mistral-common, which is the reference (SPEC 3.1)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mistralet.config import VisionConfig
from mistralet.errors import TokenizerError
from mistralet.tokenizer.base import require_id, require_text
from mistralet.tokenizer.byte_alphabet import bytes_of_token
from mistralet.tokenizer.gguf_vocabulary import NORMAL, GgufVocabulary, vocabulary_from_gguf

if TYPE_CHECKING:
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

# 3.0 and 3.1 have v7, 3.2 has v11, its sibling Devstral v13.
VERSIONS = ("v7", "v11", "v13")

# Ids below are control tokens, the others are the rank of their bytes plus this (SPEC 3.1).
CONTROL_TOKENS = 1000

# How text is cut before merging; the same in every release, and not held by a GGUF (SPEC 3.1).
PATTERN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# What mistral-common and tiktoken raise on a file that is not what it says.
_DAMAGED = (AssertionError, AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError)


class TekkenTokenizer:
    """A `Tokenizer` over one Tekken vocabulary. `raw` is the mistral-common object, for its templates."""

    adds_bos = True

    def __init__(self, raw: Tekkenizer, source: str) -> None:
        if raw.version.value not in VERSIONS:
            raise TokenizerError(
                f"{source}: holds Tekken {raw.version.value}, but Mistral Small 3 has {', '.join(VERSIONS)}; "
                "take the file of a Mistral Small 3 release"
            )
        self.raw = raw
        self.version: str = raw.version.value
        self.name = f"Tekken {self.version}"
        self.vocab_size = raw.n_words
        self._source = source
        self.bos_id = self.control_id("<s>")
        self.stop_ids = frozenset({self.control_id("</s>")})

    @classmethod
    def from_file(cls, path: Path) -> TekkenTokenizer:
        """The tokenizer in a `tekken.json`.

        Raises:
            TokenizerError: the file is missing or damaged, or of a version that Mistral Small 3 does not have.
        """
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer

        try:
            raw = Tekkenizer.from_file(path)
        except _DAMAGED as error:
            raise TokenizerError(f"{path}: cannot be read as a Tekken vocabulary; download the file again") from error
        return cls(raw, str(path))

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any], source: str, vision: VisionConfig | None = None) -> TekkenTokenizer:
        """The tokenizer in the metadata of a GGUF file whose `tokenizer.ggml.pre` is "tekken".

        Such a file holds the bytes of every rank, so this is the very tokenizer of the release's `tekken.json`.

        Args:
            metadata: the file's key-value section.
            source: the file's name, for errors.
            vision: from the mmproj file, if there is one.

        Raises:
            TokenizerError: the vocabulary is damaged or no Tekken.
        """
        from mistral_common.tokens.tokenizers.base import TokenizerVersion
        from mistral_common.tokens.tokenizers.image import ImageConfig
        from mistral_common.tokens.tokenizers.tekken import SpecialTokenInfo, Tekkenizer, TokenInfo

        vocabulary = vocabulary_from_gguf(metadata, source)
        control_types, ranked_types = vocabulary.types[:CONTROL_TOKENS], vocabulary.types[CONTROL_TOKENS:]
        if NORMAL in control_types or set(ranked_types) != {NORMAL}:
            raise TokenizerError(
                f"{source}: the first {CONTROL_TOKENS} tokens, and only they, must be control tokens in a Tekken "
                "vocabulary; take a GGUF of a Mistral Small 3 release"
            )
        ranked = [bytes_of_token(token, source) for token in vocabulary.tokens[CONTROL_TOKENS:]]
        image = ImageConfig(vision.patch_size, vision.image_size, vision.spatial_merge_size) if vision else None
        try:
            raw = Tekkenizer(
                vocab=[
                    TokenInfo(rank=rank, token_bytes=base64.b64encode(piece).decode(), token_str=None)
                    for rank, piece in enumerate(ranked)
                ],
                special_tokens=[
                    SpecialTokenInfo(rank=index, token_str=token, is_control=True)
                    for index, token in enumerate(vocabulary.tokens[:CONTROL_TOKENS])
                ],
                pattern=PATTERN,
                vocab_size=len(vocabulary.tokens),
                num_special_tokens=CONTROL_TOKENS,
                version=TokenizerVersion(_version_in_gguf(vocabulary)),
                image_config=image,
            )
        except _DAMAGED as error:
            raise TokenizerError(f"{source}: holds no valid Tekken vocabulary; download the file again") from error
        return cls(raw, source)

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer.encode`."""
        return self.raw.encode(require_text(text), bos=False, eos=False)

    def token_bytes(self, token_id: int) -> bytes:
        """See `Tokenizer.token_bytes`."""
        return self.raw.id_to_byte_piece(require_id(token_id, self.vocab_size))

    def decode(self, ids: Iterable[int]) -> str:
        """See `Tokenizer.decode`."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def control_id(self, name: str) -> int:
        """See `Tokenizer.control_id`."""
        try:
            return self.raw.get_special_token(name)
        except ValueError as error:
            raise TokenizerError(f"{self._source}: the vocabulary has no control token '{name}'") from error


def _version_in_gguf(vocabulary: GgufVocabulary) -> str:
    """The Tekken version, which a GGUF does not state.

    v11 named the ids 32 and 33, which v7 leaves unused; v13 keeps both names but no longer writes [CALL_ID]
    (SPEC 3.1, 3.2), so only the chat template tells v13 from v11. They differ in tool calls alone; without a
    template it is v11, the version of 3.2.
    """
    if vocabulary.tokens[32:34] != ["[ARGS]", "[CALL_ID]"]:
        return "v7"
    template = vocabulary.chat_template or ""
    return "v13" if "[ARGS]" in template and "[CALL_ID]" not in template else "v11"
