"""Compilation: what is refused and how it is said, the bound on time, what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mistralet.engine.constraint import Constraint, ConstraintCompiler
from mistralet.engine.constraint.trial_process import Trial
from mistralet.errors import ConstraintError
from mistralet.tokenizer import BpeTokenizer

OBJECT = {"type": "object"}
CHAIN = {f"a{index}": {"$ref": f"#/$defs/a{index + 1}"} for index in range(20_000)} | {"a20000": {}}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"not": {"type": "null"}}, 'keywords that cannot be enforced: "not"'),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"if": {"type": "null"}, "then": {"const": 1}}, '"if", "then"'),
        (OBJECT | {"dependentRequired": {"a": ["b"]}}, "dependentRequired"),
        (OBJECT | {"unevaluatedProperties": False}, "unevaluatedProperties"),
        ({"$ref": "#/$defs/gone"}, "refers to '#/[$]defs/gone', which it lacks"),
        ({"$ref": "https://example.com/a.json"}, "'https://example.com/a.json', and nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "'file:///etc/passwd', and nothing is fetched"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "fits nothing: minimum"),
        ({"type": "integer", "minimum": 3.2, "maximum": 3.8}, "integer"),
        ({"type": "string", "minLength": 5, "maxLength": 3}, "fits nothing: minLength"),
        ({"type": "array", "minItems": 2, "maxItems": 1}, "fits nothing: minItems"),
        ({"allOf": [{"type": "integer"}, {"type": "string"}]}, "fits nothing: incompatible types"),
        (OBJECT | {"properties": {"a": False}, "required": ["a"]}, "fits nothing: required property 'a'"),
        ({"enum": []}, "fits nothing"),
        ({"enum": ["a"], "pattern": "^b"}, "fits nothing"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "uses 'oneOf' with parts that overlap"),
        ({"type": "text"}, "cannot be used [(]Invalid type: text[)]"),
        ({"type": "integer", "minimum": "3"}, "minimum"),
        ({"type": "string", "format": "credit-card"}, "the format 'credit-card', which is not known"),
        ({"type": "string", "pattern": "("}, "cannot be read [(]unclosed group[)]"),
        ({"type": "string", "pattern": "^(?=a)b"}, "looks ahead or behind"),
        ({"type": "number", "multipleOf": 0}, "cannot be used"),
        (OBJECT | {"properties": {f"a{index}": {} for index in range(20_000)}}, "too large"),
        ({"$ref": "#/$defs/a0", "$defs": CHAIN}, "too large"),
        (nested(100), "nested too deeply"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_schema_that_cannot_be_held_to_is_refused(
    schema: dict[str, Any], message: str, compiler: ConstraintCompiler
) -> None:
    with pytest.raises(ConstraintError, match=f"^The JSON schema .*{message}.*[;].*[.]$"):
        compiler.compile(Constraint.json_schema(schema))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "cannot be read [(]unclosed group[)]"),
        ("a(?=b)", "looks ahead or behind"),
        (r"\bword\b", "the edge of a word"),
        (r"(a)\1", "cannot be read [(]backreferences are not supported[)]"),
        (r"[^\s\S]", "fits nothing"),
        (r"a[^\s\S]b", "fits nothing"),
        ("(" * 1000 + ")" * 1000, "cannot be read"),
    ],
)
def test_a_regex_that_cannot_be_held_to_is_refused(pattern: str, message: str, compiler: ConstraintCompiler) -> None:
    with pytest.raises(ConstraintError, match=f"^The regex .*{message}"):
        compiler.compile(Constraint.regex(pattern))


@pytest.mark.parametrize(
    "pattern", ["^[a-z]+$", "(a+)+$", "(x+x+)+y", "(.*a){12}.{12}", "(a{1,1000}){1,1000}", "", "日本?"]
)
def test_a_regex_that_is_slow_elsewhere_compiles(pattern: str, compiler: ConstraintCompiler) -> None:
    compiler.compile(Constraint.regex(pattern))


@pytest.mark.parametrize(
    ("grammar", "message"),
    [
        ("", "Empty grammar"),
        ('rule: "a"', "no start rule"),
        ("start: gone", 'unknown name: "gone"'),
        ("start: <gone>", "the control token <gone>, which is not known"),
        ("start: <[999999]>", "the token 999999, which the vocabulary lacks"),
        ("start: a\na: a", "fits nothing"),
        ('start: %json {"type": "text"}', "Invalid type: text"),
        ('start: T\nT: "a" T', "circular reference"),
        ("start: " + "(" * 1000, "nested too deeply"),
        (
            "start: a0\n" + "\n".join(f"a{index}: a{index + 1}" for index in range(30_000)) + '\na30000: "x"',
            "too large",
        ),
    ],
)
def test_a_grammar_that_cannot_be_held_to_is_refused(grammar: str, message: str, compiler: ConstraintCompiler) -> None:
    with pytest.raises(ConstraintError, match=f"^The Lark grammar .*{message}"):
        compiler.compile(Constraint.lark(grammar))


@pytest.fixture
def hasty(tiny_tokenizer: BpeTokenizer) -> Iterator[ConstraintCompiler]:
    made = ConstraintCompiler(tiny_tokenizer, tiny_tokenizer.stop_ids, seconds=0.2)
    yield made
    made.close()


def test_compilation_that_would_not_end_is_stopped_and_the_next_goes_on(hasty: ConstraintCompiler) -> None:
    endless = Constraint.json_schema({"type": "integer", "multipleOf": 999_983})
    for _ in range(2):  # the second time it is remembered
        with pytest.raises(ConstraintError, match=r"The JSON schema takes more than 0\.2 s to compile; simplify it"):
            hasty.compile(endless)
    assert hasty.compile(Constraint.json_object()).forced_tokens() == []


def test_a_process_that_was_killed_is_started_again(tiny_tokenizer: BpeTokenizer) -> None:
    trial = Trial([tiny_tokenizer.token_bytes(index) for index in range(tiny_tokenizer.vocab_size)], [0], seconds=5)
    grammar = Constraint.json_object().grammar
    assert trial.problem(grammar) is None
    assert trial._process is not None
    trial._process.kill()
    trial._process.wait()
    assert trial.problem(grammar) is None
    trial.close()


def test_compilation_goes_on_in_another_thread(compiler: ConstraintCompiler) -> None:
    bad = compiler.submit(Constraint.regex("("))
    good = compiler.submit(Constraint.regex("[0-9]+"))
    assert not good.result().is_complete
    with pytest.raises(ConstraintError):
        bad.result()


def test_matchers_of_one_constraint_do_not_share_their_state(
    compiler: ConstraintCompiler, tiny_tokenizer: BpeTokenizer
) -> None:
    first, second = (compiler.compile(Constraint.choice(["yes", "no"])) for _ in range(2))
    (yes,) = tiny_tokenizer.encode("yes")
    first.accept(yes)
    assert first.is_finished
    assert not second.is_complete
    assert second.allowed_prefix([yes]) == 1


def test_a_vocabulary_without_stop_tokens_can_be_held_to_a_grammar(tiny_tokenizer: BpeTokenizer) -> None:
    compiler = ConstraintCompiler(tiny_tokenizer, [])
    try:
        matcher = compiler.compile(Constraint.choice(["yes"]))
        matcher.accept(tiny_tokenizer.encode("yes")[0])
        assert matcher.is_finished
    finally:
        compiler.close()
