"""Answers of a random model at temperature 2 fit their schema (2,000 of them: `python -m bench.constraints`)."""

from __future__ import annotations

from typing import Any

import pytest

from bench.constraints import SCHEMAS, RandomModel, check_schema, problem_of, text_of
from mistralet.engine.constraint import Constraint, ConstraintCompiler
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer

# A random model writes on for long where nothing bounds it.
UNBOUNDED = {"string", "object", "open object", "map of counts", "anything"}


@pytest.fixture(scope="module")
def model(tiny_tokenizer: BpeTokenizer) -> RandomModel:
    return RandomModel(tiny_tokenizer.vocab_size)


@pytest.fixture(scope="module")
def tekken_model(tekken_tokenizer: TekkenTokenizer) -> RandomModel:
    return RandomModel(tekken_tokenizer.vocab_size)


@pytest.mark.parametrize("name", SCHEMAS)
def test_answers_fit(name: str, compiler: ConstraintCompiler, model: RandomModel, tiny_tokenizer: BpeTokenizer) -> None:
    ends, problems, _ = check_schema(compiler, model, tiny_tokenizer, name, range(4))
    assert problems == []
    assert ends.total() == 4
    assert name in UNBOUNDED or ends == {"stop": 4}


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name not in UNBOUNDED])
def test_answers_in_the_vocabulary_of_a_release_fit(
    name: str, tekken_compiler: ConstraintCompiler, tekken_model: RandomModel, tekken_tokenizer: TekkenTokenizer
) -> None:
    ends, problems, _ = check_schema(tekken_compiler, tekken_model, tekken_tokenizer, name, range(1))
    assert problems == []
    assert ends == {"stop": 1}


@pytest.mark.parametrize("name", ["person", "tree", "invoice", "unicode names"])
def test_an_answer_that_is_cut_says_so(
    name: str, compiler: ConstraintCompiler, model: RandomModel, tiny_tokenizer: BpeTokenizer
) -> None:
    constraint = Constraint.json_schema(SCHEMAS[name])
    whole = model.generate(compiler.compile(constraint), tiny_tokenizer.stop_ids, seed=1)
    matcher = compiler.compile(constraint)
    cut = model.generate(matcher, tiny_tokenizer.stop_ids, seed=1, max_tokens=len(whole.tokens) - 1)
    assert cut.finish_reason == "length"
    assert cut.tokens == whole.tokens[:-1]
    assert not matcher.is_complete
    assert problem_of(text_of(tiny_tokenizer, whole.tokens), SCHEMAS[name]) is None


def test_there_are_fifty_schemas() -> None:
    assert len(SCHEMAS) == 50


@pytest.mark.parametrize(
    ("answer", "schema"),
    [
        ("{", {}),
        ('{"a": 1}', {"type": "array"}),
        ("0.075", {"multipleOf": 0.01}),
        ('"2026-02-31"', {"type": "string", "format": "date"}),
    ],
)
def test_the_check_sees_what_does_not_fit(answer: str, schema: dict[str, Any]) -> None:
    assert problem_of(answer, schema)


def test_the_check_counts_in_decimal() -> None:
    assert problem_of("0.07", {"multipleOf": 0.01}) is None
