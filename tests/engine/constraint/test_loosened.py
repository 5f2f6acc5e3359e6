"""A loosened schema can be held to, and everything fits it that fits the schema itself."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.engine.constraint import Constraint, ConstraintCompiler, loosened, quick_problem

UNHELD = [
    *({"not": {"const": 1}}, {"if": {}, "then": {}, "else": False}, {"uniqueItems": True}, {"contains": {"const": 1}}),
    *({"minContains": 1}, {"propertyNames": {"pattern": "^a"}}, {"dependentRequired": {"a": ["b"]}}),
    *({"dependentSchemas": {"a": {}}}, {"unevaluatedProperties": False}, {"unevaluatedItems": False}),
    *({"type": "string", "format": "regex"}, {"type": "string", "pattern": "^(?!a)"}, {"multipleOf": 999_983}),
    *({"type": "string", "pattern": r"(a)\1"}, {"type": "string", "pattern": r"\ba"}, {"dependencies": {"a": ["b"]}}),
    {"patternProperties": {"^a": {"type": "string"}, "b$": {"type": "integer"}}, "additionalProperties": False},
    {"patternProperties": {"^(?=a)": {"type": "string"}}, "additionalProperties": {"type": "integer"}},
    {"oneOf": [{"type": "number"}, {"type": "integer"}]},
    {"oneOf": [{"type": "number"}, {"type": "integer"}], "anyOf": [{"minimum": 1}, {"type": "string"}]},
    {"type": "object", "properties": {"a": {}}, "maxProperties": 1},
    {"type": "object", "minProperties": 2},
]


@pytest.mark.parametrize("schema", UNHELD, ids=str)
def test_what_cannot_be_held_to_is_left_out(schema: dict[str, Any], compiler: ConstraintCompiler) -> None:
    inner = {"type": "object", "properties": {"a": {"anyOf": [schema, {"type": "null"}]}}, "required": ["a"]}
    before = str(schema)
    compiler.compile(Constraint.json_schema(loosened(schema)))
    compiler.compile(Constraint.json_schema(loosened(inner)))
    assert str(schema) == before


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"not": {"type": "string"}, "if": {"const": {"not": 1}}}, "required": ["not"]},
        {"enum": [{"uniqueItems": True}]},
        {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "format": "date"},
        {"type": "array", "prefixItems": [{"type": "integer"}], "items": False, "maxItems": 1},
        {"$defs": {"not": {"type": "integer", "multipleOf": 5}}, "$ref": "#/$defs/not"},
        {"type": "object", "properties": {"a": True}, "required": ["a"], "maxProperties": 1},
    ],
    ids=str,
)
def test_all_else_stays(schema: dict[str, Any]) -> None:
    assert loosened(schema) == schema


def test_a_tuple_of_older_drafts_is_one_still() -> None:
    older = {"type": "array", "items": [{"type": "integer"}], "additionalItems": False}
    assert loosened(older) == {"type": "array", "prefixItems": [{"type": "integer"}], "items": False}


LEAVES = st.sampled_from(
    [
        *({}, True, {"type": "integer"}, {"type": "number", "minimum": 1}, {"const": "a"}, {"enum": [1, None]}),
        *({"type": "string", "pattern": "^(?=a)"}, {"type": "string", "minLength": 2}, {"multipleOf": 20_000}),
        *({"not": {"type": "string"}}, {"uniqueItems": True}, {"type": "array", "contains": {"const": 1}}),
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).flatmap(
            lambda parts: st.sampled_from([{"anyOf": parts}, {"oneOf": parts}, {"allOf": parts}])
        ),
        st.dictionaries(st.sampled_from("ab"), inner).map(lambda names: {"type": "object", "properties": names}),
        st.dictionaries(st.sampled_from(["a", "^(?!b)"]), inner, min_size=1).map(
            lambda names: {"patternProperties": names, "additionalProperties": False}
        ),
        inner.map(lambda part: {"type": "array", "items": part, "uniqueItems": True}),
        inner.map(lambda part: {"if": part, "then": {"type": "string"}, "minProperties": 1}),
        st.tuples(inner, inner).map(lambda pair: {"oneOf": [pair[0]], "anyOf": [pair[1]]}),
    ),
    max_leaves=5,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "ab", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(SCHEMAS, st.lists(VALUES, max_size=6))
def test_what_fits_a_schema_fits_it_loosened(schema: Any, values: list[Any]) -> None:
    strict, loose = jsonschema.Draft202012Validator(schema), jsonschema.Draft202012Validator(loosened(schema))
    for value in values:
        assert loose.is_valid(value) or not strict.is_valid(value)


def test_a_quick_look_leaves_what_is_large_to_the_compiler() -> None:
    links = {f"d{number}": {"$ref": f"#/$defs/d{number + 1}"} for number in range(30_000)}
    assert quick_problem({"$defs": links | {"d30000": {}}, "$ref": "#/$defs/d0"}) is None
    assert quick_problem({"enum": [str(number) for number in range(100_000)]}) is None
    assert quick_problem({"not": {}}) is not None
