"""Text to token ids and back: Tekken through mistral-common, and the BPE inside a GGUF through `tokenizers`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mistralet.config import VisionConfig
from mistralet.errors import TokenizerError
from mistralet.tokenizer.base import Tokenizer, encode_raw
from mistralet.tokenizer.bpe import BpeTokenizer
from mistralet.tokenizer.stream import StreamDecoder
from mistralet.tokenizer.tekken import TekkenTokenizer

__all__ = [
    "BpeTokenizer",
    "StreamDecoder",
    "TekkenTokenizer",
    "Tokenizer",
    "encode_raw",
    "tokenizer_from_folder",
    "tokenizer_from_gguf",
]


def tokenizer_from_folder(folder: Path) -> TekkenTokenizer:
    """The tokenizer beside a model in the native or the Hugging Face format: its `tekken.json`.

    Raises:
        TokenizerError: the folder has no such file, or a damaged one.
    """
    path = folder / "tekken.json"
    if path.is_file():
        return TekkenTokenizer.from_file(path)
    remedy = "copy it there from the release's repository"
    if (folder / "tokenizer.json").is_file():
        raise TokenizerError(
            f"{folder}: has only a tokenizer.json, which cuts some words differently from the model's own tekken.json; "
            f"{remedy}"
        )
    raise TokenizerError(f"{folder}: has no tekken.json; {remedy}")


def tokenizer_from_gguf(metadata: Mapping[str, Any], source: str, vision: VisionConfig | None) -> Tokenizer:
    """The tokenizer in the metadata of a GGUF file.

    Args:
        metadata: the file's key-value section.
        source: the file's name, for errors.
        vision: from the mmproj file, if there is one.

    Raises:
        TokenizerError: the file has no vocabulary, a damaged one, or one of a kind that is not supported.
    """
    if metadata.get("tokenizer.ggml.pre") == "tekken":
        return TekkenTokenizer.from_gguf(metadata, source, vision)
    return BpeTokenizer.from_gguf(metadata, source)
