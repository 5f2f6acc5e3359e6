"""What is wrong with a JSON schema that the grammar compiler would take, and yet not hold to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

# Their values are data, in which nothing is a keyword.
DATA_KEYWORDS = {"const", "default", "enum", "example", "examples"}
# Their values map names, which are no keywords either, to schemas.
NAMED_KEYWORDS = {"$defs", "definitions", "patternProperties", "properties"}
# Passes over the references of a schema; one whose references need more is not looked into further.
_MOST_PASSES = 20


def schema_problem(schema: dict[str, Any]) -> str | None:
    """Why no answer can be held to `schema`, to be read after "the JSON schema ..."; None if nothing was found."""
    for part in subschemas(schema):
        if counts_unlisted_names(part):
            return (
                "asks with 'minProperties' for more names than it lists, and unlisted names may repeat; "
                "list them under 'properties' and 'required'"
            )
    if not _has_finite_value(schema, _finite_references(schema)):
        return (
            "describes values that hold another of their kind without end; "
            "make the property that recurs optional, or allow null for it"
        )
    return None


def subschemas(node: object, names: bool = False) -> Iterator[dict[str, Any]]:
    """Every schema in `node`, itself first; `names`: its keys are names, not keywords."""
    if isinstance(node, list):
        for item in node:
            yield from subschemas(item)
    elif isinstance(node, dict):
        if not names:
            yield node
        for key, value in node.items():
            if names or key not in DATA_KEYWORDS:
                yield from subschemas(value, names=not names and key in NAMED_KEYWORDS)


def counts_unlisted_names(schema: dict[str, Any]) -> bool:
    """Whether two names that the schema does not list must differ, which a grammar cannot hold to."""
    least, required = schema.get("minProperties"), schema.get("required", [])
    if not isinstance(least, int) or not isinstance(required, list):
        return False
    closed = schema.get("additionalProperties") is False and "patternProperties" not in schema
    return not closed and least - len(set(map(str, required))) > 1


def endless_references(schema: dict[str, Any]) -> set[str]:
    """The `$ref`s that no finite value fits, because what they refer to needs another of its kind, without end."""
    return _references(schema) - _finite_references(schema)


def _references(schema: dict[str, Any]) -> set[str]:
    return {part["$ref"] for part in subschemas(schema) if isinstance(part.get("$ref"), str)}


def _finite_references(schema: dict[str, Any]) -> set[str]:
    """The `$ref`s that some finite value fits: the least fixed point over all of them."""
    references = _references(schema)
    targets = {reference: _target(schema, reference) for reference in references}
    finite: set[str] = set()
    for _ in range(_MOST_PASSES):
        found = {
            reference
            for reference, target in targets.items()
            if reference not in finite and _has_finite_value(target, finite)
        }
        if not found:
            return finite
        finite |= found
    return references


def _target(schema: Any, reference: str) -> Any:
    """What a JSON pointer in `schema` leads to; True, which anything fits, if it is none or leads nowhere."""
    if reference != "#" and not reference.startswith("#/"):
        return True
    node = schema
    for part in reference.split("/")[1:]:
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        try:
            node = node[int(key)] if isinstance(node, list) else node[key]
        except (KeyError, IndexError, TypeError, ValueError):
            return True
    return node


def _has_finite_value(schema: Any, finite: set[str]) -> bool:
    """Whether recursion lets some finite value fit `schema`, where the references in `finite` have one."""
    if not isinstance(schema, dict):
        return True
    if "$ref" in schema and schema["$ref"] not in finite:
        return False
    if not all(_has_finite_value(part, finite) for part in _items(schema, "allOf")):
        return False
    for key in ("anyOf", "oneOf"):
        if _items(schema, key) and not any(_has_finite_value(part, finite) for part in schema[key]):
            return False
    return all(_has_finite_value(part, finite) for part in _needed_parts(schema))


def _needed_parts(schema: dict[str, Any]) -> list[Any]:
    """The schemas of what every value has inside, where only objects or only arrays fit."""
    kind = schema.get("type")
    if kind in ("object", ["object"]) and isinstance(schema.get("properties"), dict):
        return [schema["properties"].get(name, True) for name in _items(schema, "required") if isinstance(name, str)]
    least = schema.get("minItems")
    if kind in ("array", ["array"]) and isinstance(least, int):
        first = _items(schema, "prefixItems")
        return first[:least] + [schema.get("items", True)] * (least > len(first))
    return []


def _items(schema: dict[str, Any], key: str) -> list[Any]:
    value = schema.get(key)
    return value if isinstance(value, list) else []
