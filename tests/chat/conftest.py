"""The four templates, and compilers for their vocabularies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from mistralet.chat import ChatFormat, chat_format
from mistralet.engine.constraint import Constraint, ConstraintCompiler
from mistralet.tokenizer import BpeTokenizer, Tokenizer


@pytest.fixture(scope="session")
def tokenizer_of(tekken: Callable[[str], Tokenizer], tiny_tokenizer: BpeTokenizer) -> Callable[[str], Tokenizer]:
    """Name of a template (`answers.TEMPLATES`) -> its tokenizer."""
    return lambda name: tiny_tokenizer if name == "chatml" else tekken(name)


@pytest.fixture(scope="session")
def chat_of(tokenizer_of: Callable[[str], Tokenizer]) -> Callable[[str], ChatFormat]:
    """Name of a template -> it."""
    return cache(lambda name: chat_format(tokenizer_of(name), None))


@pytest.fixture(scope="session")
def compiler_of(tokenizer_of: Callable[[str], Tokenizer]) -> Iterator[Callable[[str], ConstraintCompiler]]:
    """Name of a template -> a compiler for its vocabulary, which costs a second when it is first asked for."""
    made: list[ConstraintCompiler] = []

    @cache
    def compiler(name: str) -> ConstraintCompiler:
        tokenizer = tokenizer_of(name)
        made.append(ConstraintCompiler(tokenizer, tokenizer.stop_ids))
        made[-1].compile(Constraint.json_object())
        return made[-1]

    yield compiler
    for each in made:
        each.close()
