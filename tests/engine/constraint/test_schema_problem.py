"""Schemas that compile, and yet no answer can be held to."""

from __future__ import annotations

from typing import Any

import pytest

from mistralet.engine.constraint.schema import endless_references, schema_problem


def required(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


ENDLESS = [
    required({"child": {"$ref": "#"}}),
    {"$ref": "#"},
    {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}},
    {"type": "array", "items": {"$ref": "#"}, "minItems": 1},
    {"type": "array", "prefixItems": [{"type": "null"}, {"$ref": "#"}], "minItems": 2},
    {"anyOf": [required({"a": {"$ref": "#"}}), required({"b": {"$ref": "#"}})]},
    {"$ref": "#/definitions/a~1b%20c", "definitions": {"a/b c": required({"x": {"$ref": "#"}})}},
    required({"list": {"type": "array", "minItems": 2, "items": {"$ref": "#"}}}),
]
SOUND = [
    {"type": "object", "properties": {"child": {"$ref": "#"}}},
    required({"child": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}),
    {"type": ["object", "null"], "properties": {"child": {"$ref": "#"}}, "required": ["child"]},
    {"type": "array", "items": {"$ref": "#"}},
    {"type": "array", "prefixItems": [{"type": "null"}, {"$ref": "#"}], "minItems": 1},
    {"properties": {"child": {"$ref": "#"}}, "required": ["child"]},  # a number fits it
    {"enum": [{"$ref": "#"}]},
    required({"a": {"$ref": "#/$defs/gone"}}),  # for the compiler to find
    required({"a": {"$ref": "https://example.com/schema"}}),
    {"$ref": "#/$defs/a", "$defs": {"a": required({"next": {"$ref": "#/$defs/b"}}), "b": {"type": "null"}}},
    {"type": 5, "required": "x", "minItems": "y", "allOf": {}, "anyOf": None, "$ref": "#/$defs/0", "$defs": [{}]},
]


@pytest.mark.parametrize("schema", ENDLESS)
def test_recursion_without_a_way_out_is_found(schema: dict[str, Any]) -> None:
    assert "without end" in str(schema_problem(schema))


@pytest.mark.parametrize("schema", SOUND)
def test_no_reference_of_a_sound_schema_is_endless(schema: dict[str, Any]) -> None:
    assert endless_references(schema) == set()


def test_endless_references_are_found_where_they_may_be_left_out() -> None:
    endless, tree = required({"next": {"$ref": "#/$defs/endless"}}), {"items": {"$ref": "#/$defs/tree"}}
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/endless"}, "b": {"$ref": "#/$defs/tree"}},
        "$defs": {"endless": endless, "tree": tree},
    }
    assert schema_problem(schema) is None
    assert endless_references(schema) == {"#/$defs/endless"}


@pytest.mark.parametrize("schema", SOUND)
def test_recursion_with_a_way_out_is_fine(schema: dict[str, Any]) -> None:
    assert schema_problem(schema) is None


@pytest.mark.parametrize(
    ("schema", "refused"),
    [
        ({"minProperties": 2}, True),
        ({"items": {"type": "object", "minProperties": 3, "required": ["a"]}}, True),
        ({"minProperties": 2, "additionalProperties": False, "patternProperties": {"^a": {}}}, True),
        ({"minProperties": 1}, False),
        ({"minProperties": 3, "required": ["a", "b"]}, False),
        ({"minProperties": 2, "properties": {"a": {}, "b": {}}, "additionalProperties": False}, False),
        ({"properties": {"minProperties": {"type": "integer"}}}, False),
        ({"const": {"minProperties": 5}}, False),
        ({"properties": {"const": {"minProperties": 5}}}, True),
    ],
)
def test_names_that_may_repeat_are_not_counted(schema: dict[str, Any], refused: bool) -> None:
    assert ("minProperties" in str(schema_problem(schema))) is refused


def test_many_references_are_looked_into_in_a_blink() -> None:
    chain = {f"a{index}": {"$ref": f"#/$defs/a{index + 1}"} for index in range(2000)}
    assert schema_problem({"$ref": "#/$defs/a0", "$defs": chain | {"a2000": {"type": "null"}}}) is None
