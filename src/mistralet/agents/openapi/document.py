"""`Document`: an OpenAPI 3 document, its references followed and its schemas as JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from mistralet.errors import ToolError

METHODS = ("get", "head", "post", "put", "patch", "delete")  # options and trace are no use as tools
_MOST_NODES = 20_000  # of one operation, its references followed
_ANNOTATIONS = {"description", "summary", "title", "default", "deprecated", "examples"}
_NO_JSON_SCHEMA = {"nullable", "example", "xml", "discriminator", "externalDocs"}  # OpenAPI's own keywords
_SCHEMAS = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS_OF_SCHEMAS = ("properties", "patternProperties", "dependentSchemas")


class FoundOperation(NamedTuple):
    """An operation as the document has it."""

    method: str  # lower case
    path: str  # a template, such as /pets/{petId}
    content: Mapping[str, Any]
    path_item: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its `operationId`, or else `GET /pets/{petId}`."""
        given = self.content.get("operationId")
        return given if isinstance(given, str) and given else self.call

    @property
    def call(self) -> str:
        """Its method and path, such as `GET /pets/{petId}`."""
        return f"{self.method.upper()} {self.path}"


class Document:
    """An OpenAPI document of a version 3.x."""

    def __init__(self, content: Any, name: str) -> None:
        if not isinstance(content, dict) or not isinstance(content.get("paths"), dict):
            raise ToolError(f"{name} is no OpenAPI document: it has no 'paths'.")
        version = str(content.get("openapi", content.get("swagger", "?")))
        if not version.startswith("3."):
            raise ToolError(f"{name} is of OpenAPI version {version}, but must be of 3.x; convert it first.")
        self.content: dict[str, Any] = content
        self.name = name

    @classmethod
    def read(cls, given: Mapping[str, Any] | str | Path) -> Document:
        """A document that is given as such, as its text (JSON or YAML), or as the path of its file.

        Raises:
            ToolError: it cannot be read, or is no OpenAPI 3 document.
        """
        if isinstance(given, Mapping):
            return cls(dict(given), "The document")
        if isinstance(given, str) and (given.lstrip().startswith("{") or "\n" in given):
            return cls(_parsed(given, "The document"), "The document")
        try:
            text = Path(given).expanduser().read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ToolError(f"The OpenAPI document {given} cannot be read: {error}.") from error
        return cls(_parsed(text, str(given)), str(given))

    def operations(self) -> Iterator[FoundOperation]:
        """All of them, in order."""
        for path, written in self.content["paths"].items():
            if _is_extension(path):
                continue
            if not str(path).startswith("/"):  # put behind a base URL, it could lead to another host
                raise ToolError(f"{self.name}: the path '{path}' does not begin with /.")
            item = self.followed(written, f"paths.{path}")
            for method in METHODS:
                if isinstance(item.get(method), dict):
                    yield FoundOperation(method, str(path), item[method], item)

    def followed(self, value: Any, where: str) -> dict[str, Any]:
        """An object of the document, or what it refers to instead."""
        seen = set[str]()
        while isinstance(value, dict) and isinstance(value.get("$ref"), str):
            reference = value["$ref"]
            if reference in seen:
                raise ToolError(f"{self.name}: {where} refers to itself through {reference}.")
            seen.add(reference)
            value = self.target(reference, where)
        if not isinstance(value, dict):
            raise ToolError(f"{self.name}: {where} is no object.")
        return value

    def schema(self, schema: Any, where: str) -> dict[str, Any]:
        """A schema of the document as plain JSON Schema without references, for what is sent.

        Raises:
            ToolError: a reference leads nowhere, to another document or in a circle, or it grows too large.
        """
        try:
            resolved = _Resolver(self).resolve(schema, where, ())
        except RecursionError as error:  # nested deeply, or in a circle of YAML's own references
            raise ToolError(f"{self.name}: the schema at {where} is too deep; leave its operation out.") from error
        return resolved if isinstance(resolved, dict) else {}

    def target(self, reference: str, where: str) -> Any:
        """What a reference leads to."""
        if not reference.startswith("#/") and reference != "#":
            raise ToolError(f"{self.name}: {where} refers to {reference}, outside of the document; put it inside.")
        value: Any = self.content
        for part in reference[2:].split("/") if len(reference) > 2 else ():
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
                value = value[int(key)]
            elif isinstance(value, dict) and (key in value or (key.isdecimal() and int(key) in value)):
                value = value[key] if key in value else value[int(key)]
            else:
                raise ToolError(f"{self.name}: {where} refers to {reference}, which is not there.")
        return value


class _Resolver:
    """Puts in the place of each reference what it refers to, counting as it goes."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._nodes = 0

    def resolve(self, schema: Any, where: str, inside: tuple[str, ...]) -> Any:
        """A schema, which may be a boolean; `inside` are the references it was reached through."""
        if not isinstance(schema, dict):
            return schema
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise ToolError(f"{self._document.name}: the schema at {where} is too large; leave its operation out.")
        if isinstance(schema.get("$ref"), str):
            return self._referred(schema, where, inside)
        result = {key: value for key, value in schema.items() if key not in _NO_JSON_SCHEMA and not _is_extension(key)}
        for key in _SCHEMAS:
            if key in result:
                result[key] = self.resolve(result[key], f"{where}.{key}", inside)
        for key in _LISTS_OF_SCHEMAS:
            if isinstance(result.get(key), list):
                result[key] = [self.resolve(item, f"{where}.{key}", inside) for item in result[key]]
        for key in _MAPS_OF_SCHEMAS:
            if isinstance(result.get(key), dict):
                result[key] = {
                    str(name): self.resolve(value, f"{where}.{name}", inside) for name, value in result[key].items()
                }
        return _nullable(schema, _bounds_of_3_1(_without_read_only(result)))

    def _referred(self, schema: dict[str, Any], where: str, inside: tuple[str, ...]) -> Any:
        reference = schema["$ref"]
        if reference in inside:
            raise ToolError(
                f"{self._document.name}: the schema {reference} contains itself, at {where}, which a tool's cannot; "
                "leave out its operation."
            )
        target = self.resolve(self._document.target(reference, where), where, (*inside, reference))
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        if not beside or not isinstance(target, dict):
            return target
        if set(beside) <= _ANNOTATIONS:
            return target | beside
        return {"allOf": [target, self.resolve(beside, where, inside)]}


def _without_read_only(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the properties that only answers have."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    kept = {name: value for name, value in properties.items() if not _is_read_only(value)}
    result = schema | {"properties": kept}
    if isinstance(schema.get("required"), list):
        result["required"] = [name for name in schema["required"] if name in kept or name not in properties]
    return result


def _is_read_only(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("readOnly") is True


def _bounds_of_3_1(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0 writes an exclusive bound as a bound and a boolean, JSON Schema as a bound of its own."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(exclusive), bool):
            is_exclusive = schema.pop(exclusive)
            if is_exclusive and bound in schema:
                schema[exclusive] = schema.pop(bound)
    return schema


def _nullable(written: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0's `nullable`, which JSON Schema does not have."""
    if written.get("nullable") is not True:
        return schema
    if not isinstance(schema.get("type"), str):
        return {"anyOf": [schema, {"type": "null"}]}
    result = schema | {"type": [schema["type"], "null"]}
    if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
        result["enum"] = [*schema["enum"], None]
    return result


def _is_extension(key: Any) -> bool:
    return isinstance(key, str) and key.startswith("x-")


def _parsed(text: str, name: str) -> Any:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ToolError(f"{name} is no JSON: {error}.") from error
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Reads a date as the text it is: JSON has no dates."""

        yaml_implicit_resolvers = {  # noqa: RUF012
            first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ToolError(f"{name} is no YAML: {' '.join(str(error).split())}.") from error
