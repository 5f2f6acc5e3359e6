"""Servers for tests: one in this process whose engine follows a script, one as a user starts it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mistralet.config import VisionConfig
from mistralet.server.auth import Keys
from mistralet.server.settings import Settings
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer
from support.scripted import Caller, NewCaller, Script, says, scripted_service
from support.served import Served, serving


@pytest.fixture
def new_caller(tiny_tokenizer: BpeTokenizer) -> NewCaller:
    """Makes servers that say what they are told to, with the tokenizer of `tiny`."""

    def new(script: Script | str = "hello there", keys: tuple[str, ...] = (), **settings: object) -> Caller:
        chosen = Settings(**settings)  # type: ignore[arg-type]
        said = says(script, tiny_tokenizer) if isinstance(script, str) else script
        return Caller(scripted_service(tiny_tokenizer, said, chosen), Keys(keys))

    return new


@pytest.fixture
def new_seeing_caller(tekken: Callable[[str], TekkenTokenizer], vision: VisionConfig) -> NewCaller:
    """Makes servers with eyes."""
    tokenizer = tekken("v11-image")

    def new(**settings: object) -> Caller:
        chosen = Settings(**settings)  # type: ignore[arg-type]
        return Caller(scripted_service(tokenizer, says("I see", tokenizer), chosen, vision), Keys(()))

    return new


@pytest.fixture
def seeing_caller(new_seeing_caller: NewCaller) -> Caller:
    """A server with eyes."""
    return new_seeing_caller()


@pytest.fixture(scope="session")
def served(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of `tiny`, for all tests that need a real one."""
    with serving(tmp_path_factory.mktemp("server") / "log", tiny_path, "--kv-tokens", 4096) as server:
        yield server
