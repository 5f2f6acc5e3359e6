"""A JSON schema without what decoding cannot hold to."""

from __future__ import annotations

from typing import Any

from mistralet.engine.constraint.schema import DATA_KEYWORDS, NAMED_KEYWORDS, counts_unlisted_names, subschemas

# What can be held to (docs/constraints.md), and what it refers to.
_HELD_TO = {
    *("$ref", "$defs", "definitions"),
    *("type", "enum", "const", "anyOf", "allOf"),
    *("properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties"),
    *("items", "prefixItems", "minItems", "maxItems"),
    *("minLength", "maxLength", "pattern", "format"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
# They say nothing of a value.
_REMARKS = {
    *("$schema", "$id", "$anchor", "$comment", "$vocabulary", "title", "description", "default", "examples", "example"),
    *("deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema"),
}


def loosened(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` without the keywords of `not_held_to`, and without remarks; `oneOf` becomes `anyOf`.

    What fits `schema` fits the result, and more may.
    """
    kept = {
        keyword: _loosened_value(keyword, value) for keyword, value in schema.items() if _is_held_to(keyword, value)
    }
    if isinstance(schema.get("oneOf"), list):
        parts = {"anyOf": [_loosened_part(part) for part in schema["oneOf"]]}
        kept |= {"allOf": [*kept.get("allOf", []), parts]} if "anyOf" in kept else parts
    if counts_unlisted_names(kept):
        del kept["minProperties"]
    return kept


def not_held_to(schema: dict[str, Any]) -> set[str]:
    """The keywords in `schema` that restrict values in a way that decoding cannot hold to."""
    return {
        keyword
        for part in subschemas(schema)
        for keyword, value in part.items()
        if not _is_held_to(keyword, value) and keyword not in _REMARKS | {"oneOf"} and not keyword.startswith("x-")
    }


def _is_held_to(keyword: str, value: object) -> bool:
    if keyword == "format":
        return value in _FORMATS
    if keyword == "$ref":
        return isinstance(value, str) and value.startswith("#")
    return keyword in _HELD_TO


def _loosened_value(keyword: str, value: Any) -> Any:
    if keyword in DATA_KEYWORDS:
        return value
    if keyword in NAMED_KEYWORDS and isinstance(value, dict):
        return {name: _loosened_part(part) for name, part in value.items()}
    return _loosened_part(value)


def _loosened_part(part: Any) -> Any:
    if isinstance(part, list):
        return [_loosened_part(item) for item in part]
    return loosened(part) if isinstance(part, dict) else part
