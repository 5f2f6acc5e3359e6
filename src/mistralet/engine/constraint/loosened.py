"""Schemas without what decoding cannot hold to."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from mistralet.engine.constraint.enforceable import quick_problem
from mistralet.engine.constraint.schema import DATA_KEYWORDS, NAMED_KEYWORDS, counts_unlisted_names

# Keywords that restrict a value in a way no grammar can follow, and the annotations that may mislead one.
_DROPPED = frozenset(
    (
        *("not", "if", "then", "else", "uniqueItems", "contains", "minContains", "maxContains", "propertyNames"),
        *("dependencies", "dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"),
        *("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"),
    )
)
# Numbers that are no multiple of a larger one take a grammar that is too large.
_LARGEST_FACTOR = 10_000


def loosened(schema: Any) -> Any:
    """A schema that everything fits that fits `schema`, from which answers can be held to what is left.

    Left out are keywords that cannot be enforced (docs/constraints.md), formats and patterns that are not known, counts
    of names that may be absent; of `oneOf` is left that one part at least must fit.
    """
    return _loosened(schema) if isinstance(schema, dict) else schema


def _loosened(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: _inner(key, value) for key, value in schema.items() if key not in _DROPPED}
    _loosen_text(kept)
    _loosen_numbers(kept)
    _loosen_names(kept)
    _loosen_choice(kept)
    if isinstance(kept.get("items"), list):  # a tuple, as drafts before 2020-12 write it
        kept["prefixItems"] = kept.pop("items")
        if "additionalItems" in kept:
            kept["items"] = kept.pop("additionalItems")
    return kept


def _inner(key: str, value: Any) -> Any:
    """The value of a keyword, with the schemas in it loosened."""
    if key in DATA_KEYWORDS:
        return value
    if key in NAMED_KEYWORDS and isinstance(value, dict):
        return {name: loosened(part) for name, part in value.items()}
    if isinstance(value, list):
        return [loosened(part) for part in value]
    return loosened(value)


def _loosen_text(schema: dict[str, Any]) -> None:
    for key in ("pattern", "format"):
        if isinstance(schema.get(key), str) and not _is_known(key, schema[key]):
            del schema[key]


def _loosen_numbers(schema: dict[str, Any]) -> None:
    factor = schema.get("multipleOf")
    if isinstance(factor, int | float) and factor > _LARGEST_FACTOR:
        del schema["multipleOf"]


def _loosen_names(schema: dict[str, Any]) -> None:
    patterns = schema.get("patternProperties")
    if isinstance(patterns, dict) and quick_problem({"patternProperties": {pattern: {} for pattern in patterns}}):
        # Names that the patterns were for must not fall under the rule for all others.
        del schema["patternProperties"]
        schema.pop("additionalProperties", None)
    properties, required = schema.get("properties", {}), schema.get("required", [])
    if not all(name in required for name in properties) or counts_unlisted_names(schema):
        schema.pop("minProperties", None)
        schema.pop("maxProperties", None)


def _loosen_choice(schema: dict[str, Any]) -> None:
    """Parts that were loosened may overlap, and then "exactly one" would keep out what fitted before."""
    parts = schema.pop("oneOf", None)
    if parts is None:
        return
    if "anyOf" in schema:
        schema["allOf"] = [*schema.get("allOf", []), {"anyOf": parts}]
    else:
        schema["anyOf"] = parts


@lru_cache(maxsize=1024)
def _is_known(key: str, value: str) -> bool:
    return quick_problem({"type": "string", key: value}) is None
