"""Fixtures made once per session, because each costs half a second or more."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mistralet.config import VisionConfig
from mistralet.hub import RELEASES
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer
from support.tekken_files import write_tekken


@pytest.fixture(scope="session")
def tekken_path(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Kind of file (`tekken_files.KINDS`) -> its path, made on the first call."""
    folder = tmp_path_factory.mktemp("tekken")
    return cache(lambda kind: write_tekken(kind, folder / f"tekken-{kind}.json"))


@pytest.fixture(scope="session")
def tekken(tekken_path: Callable[[str], Path]) -> Callable[[str], TekkenTokenizer]:
    """Kind of file -> our tokenizer."""
    return cache(lambda kind: TekkenTokenizer.from_file(tekken_path(kind)))


@pytest.fixture(scope="session")
def reference_chat(tekken_path: Callable[[str], Path]) -> Callable[[str], Any]:
    """Kind of file -> mistral-common's own `MistralTokenizer`, with its image encoder where the file has images."""
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    return cache(lambda kind: MistralTokenizer.from_file(tekken_path(kind)))


@pytest.fixture(scope="session")
def vision() -> VisionConfig:
    """The vision part of Mistral Small 3.1 and 3.2."""
    config = RELEASES["small-3.2"].config.vision
    assert config is not None
    return config


@pytest.fixture(scope="session")
def tiny_path() -> Path:
    """The GGUF file of the stand-in model."""
    from mistralet.hub.tiny import tiny_path

    return tiny_path()


@pytest.fixture(scope="session")
def tiny_metadata(tiny_path: Path) -> dict[str, Any]:
    """The metadata of the stand-in's GGUF file."""
    from mistralet.checkpoint.gguf_file import read_gguf

    return read_gguf(tiny_path).metadata


@pytest.fixture(scope="session")
def tiny_tokenizer(tiny_metadata: dict[str, Any]) -> BpeTokenizer:
    """The stand-in's tokenizer."""
    return BpeTokenizer.from_gguf(tiny_metadata, "tiny.gguf")
