"""A Lark grammar that leaves text free until a control token, and then asks for one of the tools."""

from __future__ import annotations

import json

import pytest

from mistralet.engine.constraint import Constraint, ConstraintCompiler, Matcher, schema_text
from mistralet.errors import ConstraintError
from mistralet.tokenizer import TekkenTokenizer

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.fixture
def matcher(tekken_compiler: ConstraintCompiler, tekken_tokenizer: TekkenTokenizer) -> Matcher:
    calls, arguments = (tekken_tokenizer.control_id(name) for name in ("[TOOL_CALLS]", "[ARGS]"))
    grammar = f"""
        start: TEXT? call*
        call: <[{calls}]> ("weather" <[{arguments}]> weather | "now" <[{arguments}]> "{{}}")
        weather: %json {schema_text(CITY)}
        TEXT: /(?s:.+)/
    """
    return tekken_compiler.compile(Constraint.lark(grammar))


def feed(matcher: Matcher, tokenizer: TekkenTokenizer, *parts: str) -> None:
    for part in parts:
        for token in [tokenizer.control_id(part)] if part.startswith("[") else tokenizer.encode(part):
            matcher.accept(token)


@pytest.mark.parametrize(
    "parts",
    [
        ('Any text, even {"a": or [TOOL_CALLS] in letters.',),
        ("[TOOL_CALLS]", "weather", "[ARGS]", '{"city": "Zürich"}'),
        ("Let me look. ", "[TOOL_CALLS]", "now", "[ARGS]", "{}", "[TOOL_CALLS]", "weather", "[ARGS]", '{"city": ""}'),
    ],
)
def test_text_is_free_and_calls_fit(
    matcher: Matcher, tekken_tokenizer: TekkenTokenizer, parts: tuple[str, ...]
) -> None:
    feed(matcher, tekken_tokenizer, *parts)
    assert matcher.is_complete
    matcher.accept(min(tekken_tokenizer.stop_ids))


@pytest.mark.parametrize(
    "parts",
    [
        ("[TOOL_CALLS]", "rain"),
        ("[TOOL_CALLS]", "weather", "[TOOL_CALLS]"),
        ("[TOOL_CALLS]", "weather", "[ARGS]", '{"town"'),
        ("[TOOL_CALLS]", "now", "[ARGS]", "{}", "and then"),
        ("[ARGS]",),
        ("[INST]",),
    ],
)
def test_no_call_is_malformed(matcher: Matcher, tekken_tokenizer: TekkenTokenizer, parts: tuple[str, ...]) -> None:
    with pytest.raises(ConstraintError):
        feed(matcher, tekken_tokenizer, *parts)


def test_the_schema_in_a_grammar_has_the_rules_for_whitespace(
    matcher: Matcher, tekken_tokenizer: TekkenTokenizer
) -> None:
    feed(matcher, tekken_tokenizer, "[TOOL_CALLS]", "weather", "[ARGS]", json.dumps({"city": "Rome"}, indent=4))
    assert matcher.is_complete
    with pytest.raises(ConstraintError):
        feed(matcher, tekken_tokenizer, "\n\n")
