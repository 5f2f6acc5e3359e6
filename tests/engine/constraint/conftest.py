"""Compilers for two vocabularies: each costs half a second to a second, and a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mistralet.engine.constraint import Constraint, ConstraintCompiler
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer


@pytest.fixture(scope="session")
def compiler(tiny_tokenizer: BpeTokenizer) -> Iterator[ConstraintCompiler]:
    """For the vocabulary of the stand-in."""
    made = ConstraintCompiler(tiny_tokenizer, tiny_tokenizer.stop_ids)
    made.compile(Constraint.json_object())
    yield made
    made.close()


@pytest.fixture(scope="session")
def tekken_tokenizer(tekken: Callable[[str], TekkenTokenizer]) -> TekkenTokenizer:
    return tekken("v11-image")


@pytest.fixture(scope="session")
def tekken_compiler(tekken_tokenizer: TekkenTokenizer) -> Iterator[ConstraintCompiler]:
    """For the vocabulary of release 3.2."""
    made = ConstraintCompiler(tekken_tokenizer, tekken_tokenizer.stop_ids)
    made.compile(Constraint.json_object())
    yield made
    made.close()
