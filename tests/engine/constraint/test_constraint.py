"""Constraints from what a user gives: what is taken, and what is refused before anything is compiled."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.engine.constraint import Constraint, ConstraintCompiler, schema_text
from mistralet.engine.constraint.constraint import MOST_CHARACTERS
from mistralet.errors import ConstraintError
from mistralet.tokenizer import BpeTokenizer

PERSON = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def cyclic() -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"self": schema}
    return schema


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def test_a_constraint_survives_pickling_and_is_equal_to_its_like() -> None:
    constraint = Constraint.json_schema(PERSON)
    assert pickle.loads(pickle.dumps(constraint)) == constraint
    assert {constraint: 1}[Constraint.json_schema(json.dumps(PERSON))] == 1


def test_the_order_of_properties_is_kept() -> None:
    assert schema_text({"properties": {"z": {}, "a": {}}}).startswith('{"properties": {"z": {}, "a": {}}')


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "is a list"),
        (5, "is a int"),
        (None, "is a NoneType"),
        (False, "false, which nothing fits"),
        ({"enum": [{1, 2}]}, "holds what JSON cannot"),
        ({"minimum": float("nan")}, "holds what JSON cannot"),
        ({"const": "\ud800"}, "half a character"),
        (cyclic(), "holds what JSON cannot"),
        (deep(100_000), "nested too deeply"),
        ({"enum": ["x" * MOST_CHARACTERS]}, "more than 1048576 characters"),
    ],
)
def test_what_is_no_schema_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(ConstraintError, match=message):
        Constraint.json_schema(schema)


@pytest.mark.parametrize("texts", [[], (), "abc", ["a", 5], [None], ["\udfff"]])
def test_what_is_no_choice_is_refused(texts: Any) -> None:
    with pytest.raises(ConstraintError, match="choice"):
        Constraint.choice(texts)


@pytest.mark.parametrize("make", [Constraint.regex, Constraint.lark])
@pytest.mark.parametrize("text", [5, None, b"a", "\ud800"])
def test_a_regex_and_a_grammar_must_be_text(make: Any, text: Any) -> None:
    with pytest.raises(ConstraintError, match=r"give a string|remove it"):
        make(text)


@pytest.mark.parametrize(
    ("indent", "separators"), [(None, (",", ":")), (None, (", ", ": ")), (2, (",", ": ")), (4, (",", ":"))]
)
def test_json_may_be_written_on_one_line_or_indented(
    indent: int | None, separators: tuple[str, str], compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer
) -> None:
    value = {"a": [1, {"b": []}, "é\n"], "c": {"d": None}}
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    matcher = compiler.compile(Constraint.json_object())
    for token in tiny_tokenizer.encode(text):
        matcher.accept(token)
    assert matcher.is_complete


@pytest.mark.parametrize("text", ['{"a":  1}', '{"a":\n\n1}', '{\t"a":1}', '{"a":\n' + " " * 33 + "1}", " {}", "{} "])
def test_whitespace_is_bounded(text: str, compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer) -> None:
    tokens = tiny_tokenizer.encode(text)
    assert compiler.compile(Constraint.json_object()).allowed_prefix(tokens) < len(tokens)


def test_a_schema_cannot_loosen_the_rules(compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer) -> None:
    loose = {"x-guidance": {"lenient": True, "whitespace_pattern": " *"}}
    tokens = tiny_tokenizer.encode("[1,    2]")
    assert compiler.compile(Constraint.json_schema({"type": "array"} | loose)).allowed_prefix(tokens) < len(tokens)
    with pytest.raises(ConstraintError, match="not"):
        compiler.compile(Constraint.json_schema({"not": {}} | loose))


# Without characters that the vocabulary of the stand-in lacks: some control characters, and most beyond U+FFFF.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], max_codepoint=0xFFFF), max_size=6)


@settings(max_examples=20, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=5))
def test_a_choice_is_one_of_its_texts(
    texts: list[str], compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer
) -> None:
    stop = min(tiny_tokenizer.stop_ids)
    for text in texts:
        matcher = compiler.compile(Constraint.choice(texts))
        tokens = [*tiny_tokenizer.encode(text), stop]
        assert matcher.allowed_prefix(tokens) == len(tokens)
    other = [*tiny_tokenizer.encode("".join(texts) + "!"), stop]
    assert compiler.compile(Constraint.choice(texts)).allowed_prefix(other) < len(other)


def test_a_choice_may_hold_quotes_and_backslashes_and_line_breaks(
    compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer
) -> None:
    text = 'say "\\d+"\n/end/ {% json }'
    tokens = tiny_tokenizer.encode(text)
    assert compiler.compile(Constraint.choice([text])).allowed_prefix(tokens) == len(tokens)
