"""`TekkenTokenizer`: Mistral's vocabulary since 2024, as mistral-common has it, which is the reference (SPEC 3.1)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
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

# What the first ranks stand for.
_SINGLE_BYTES = [bytes([byte]) for byte in range(256)]

# What mistral-common and tiktoken raise on a file that is not what it says.
_DAMAGED = (AssertionError, AttributeError, KeyError, OSError, RecursionError, TypeError, ValueError)


class TekkenTokenizer:
    """A `Tokenizer` over one Tekken vocabulary.

    `raw`, the mistral-common object, takes a second to make, and only templates need it. So of a GGUF it is made when
    it is asked for; text goes to tiktoken, as mistral-common itself does it.
    """

    adds_bos = True

    def __init__(
        self,
        version: str,
        control: Sequence[str],
        encode: Callable[[str], list[int]],
        ranked: Sequence[bytes],
        build_raw: Callable[[], Tekkenizer],
        source: str,
    ) -> None:
        """
        Args:
            control: the control tokens, by id.
            encode: text to ids.
            ranked: the bytes of each rank; its id is `CONTROL_TOKENS` more.
            source: the file's name, for errors.
        """
        if version not in VERSIONS:
            raise TokenizerError(
                f"{source}: holds Tekken {version}, but Mistral Small 3 has {', '.join(VERSIONS)}; "
                "take the file of a Mistral Small 3 release"
            )
        self.version = version
        self.name = f"Tekken {version}"
        self.vocab_size = len(control) + len(ranked)
        self._control = {name: index for index, name in enumerate(control)}
        self._encode = encode
        self._ranked = ranked
        self._build_raw = build_raw
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
            control = [raw.id_to_piece(index) for index in range(raw.num_special_tokens)]
            ranked = [raw.id_to_byte_piece(index) for index in range(raw.num_special_tokens, raw.n_words)]
        except _DAMAGED as error:
            raise TokenizerError(f"{path}: cannot be read as a Tekken vocabulary; download the file again") from error
        encode = partial(raw.encode, bos=False, eos=False)
        return cls(raw.version.value, control, encode, ranked, lambda: raw, str(path))

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
        vocabulary = vocabulary_from_gguf(metadata, source)
        control_types, ranked_types = vocabulary.types[:CONTROL_TOKENS], vocabulary.types[CONTROL_TOKENS:]
        if NORMAL in control_types or set(ranked_types) != {NORMAL}:
            raise TokenizerError(
                f"{source}: the first {CONTROL_TOKENS} tokens, and only they, must be control tokens in a Tekken "
                "vocabulary; take a GGUF of a Mistral Small 3 release"
            )
        control = vocabulary.tokens[:CONTROL_TOKENS]
        ranked = [bytes_of_token(token, source) for token in vocabulary.tokens[CONTROL_TOKENS:]]
        if len(set(control)) < len(control) or len(set(ranked)) < len(ranked) or ranked[:256] != _SINGLE_BYTES:
            raise TokenizerError(f"{source}: holds no valid Tekken vocabulary; download the file again")
        version = _version_in_gguf(vocabulary)
        build_raw = partial(_build_raw, version, control, ranked, vision)
        return cls(version, control, _encoder(ranked), ranked, build_raw, source)

    @cached_property
    def raw(self) -> Tekkenizer:
        """The mistral-common object, for its templates."""
        return self._build_raw()

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer.encode`."""
        return self._encode(require_text(text))

    def token_bytes(self, token_id: int) -> bytes:
        """See `Tokenizer.token_bytes`."""
        rank = require_id(token_id, self.vocab_size) - len(self._control)
        return self._ranked[rank] if rank >= 0 else b""

    def decode(self, ids: Iterable[int]) -> str:
        """See `Tokenizer.decode`."""
        return b"".join(map(self.token_bytes, ids)).decode("utf-8", errors="replace")

    def control_id(self, name: str) -> int:
        """See `Tokenizer.control_id`."""
        if name not in self._control:
            raise TokenizerError(f"{self._source}: the vocabulary has no control token '{name}'")
        return self._control[name]


def _encoder(ranked: Sequence[bytes]) -> Callable[[str], list[int]]:
    """Text to ids, as mistral-common does it."""
    import tiktoken

    encoding = tiktoken.Encoding(
        "tekken",
        pat_str=PATTERN,
        mergeable_ranks={piece: rank for rank, piece in enumerate(ranked)},
        special_tokens={},  # a control token's name in a text is text
    )
    return lambda text: [rank + CONTROL_TOKENS for rank in encoding.encode_ordinary(text)]


def _build_raw(
    version: str, control: Sequence[str], ranked: Sequence[bytes], vision: VisionConfig | None
) -> Tekkenizer:
    from mistral_common.tokens.tokenizers.base import TokenizerVersion
    from mistral_common.tokens.tokenizers.image import ImageConfig
    from mistral_common.tokens.tokenizers.tekken import SpecialTokenInfo, Tekkenizer, TokenInfo

    return Tekkenizer(
        vocab=[
            TokenInfo(rank=rank, token_bytes=base64.b64encode(piece).decode(), token_str=None)
            for rank, piece in enumerate(ranked)
        ],
        special_tokens=[
            SpecialTokenInfo(rank=index, token_str=token, is_control=True) for index, token in enumerate(control)
        ],
        pattern=PATTERN,
        vocab_size=len(control) + len(ranked),
        num_special_tokens=len(control),
        version=TokenizerVersion(version),
        image_config=ImageConfig(vision.patch_size, vision.image_size, vision.spatial_merge_size) if vision else None,
    )


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
