"""`Operation`: an operation of a document as a tool: one flat object of arguments, and the request they make."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from mistralet.agents.foreign import shortened
from mistralet.agents.openapi.document import Document, FoundOperation
from mistralet.agents.openapi.parameters import Parameter, parameter
from mistralet.errors import ToolError

_BODY = "body"
# With these alone, a body's properties can be arguments of their own.
_PLAIN_OBJECT = {"type", "properties", "required", "title", "description", "default", "deprecated", "examples"}
# The first three as OpenAPI says; the others say where a request goes and how it is read.
_IGNORED_HEADERS = {
    "accept",
    "content-type",
    "authorization",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
}
_TEMPLATE = re.compile(r"\{([^{}]+)\}")
_JSON = re.compile(r"application/([\w.+-]+\+)?json\s*(;.*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """What is sent, besides what is sent with every request."""

    method: str
    path: str  # quoted, from the first /
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Operation:
    """An operation, and which of its arguments goes where."""

    found: FoundOperation
    parameters: dict[str, Parameter] = field(default_factory=dict)  # by argument
    body_properties: dict[str, str] = field(default_factory=dict)  # the body's property, by argument
    body_argument: str | None = None  # the argument that is the whole body
    body_type: str = "application/json"
    body_required: bool = False
    schema: dict[str, Any] = field(default_factory=dict)  # of the arguments

    @property
    def description(self) -> str:
        """What the document says of it."""
        said = (self.found.content.get(key) for key in ("summary", "description"))
        texts = list(dict.fromkeys(text.strip() for text in said if isinstance(text, str) and text.strip()))
        return shortened("\n\n".join(texts) or self.found.call)

    def request(self, arguments: Mapping[str, Any]) -> Request:
        """The request for a call.

        Raises:
            ToolError: an argument cannot stand where it belongs; the sentence is meant for the model.
        """
        given = {name: value for name, value in arguments.items() if value is not None or name not in self.parameters}
        placed: dict[str, list[tuple[Parameter, Any]]] = {"path": [], "query": [], "header": [], "cookie": []}
        for name, value in given.items():
            if name in self.parameters:
                placed[self.parameters[name].place].append((self.parameters[name], value))
        headers = {one.name: one.header(value) for one, value in placed["header"]}
        cookies = [pair for one, value in placed["cookie"] for pair in one.pairs(value)]
        if cookies:
            headers["Cookie"] = "; ".join(f"{quote(name)}={quote(value)}" for name, value in cookies)
        body = self._body(given)
        if body is not None:
            headers["Content-Type"] = self.body_type
        query = [pair for one, value in placed["query"] for pair in one.pairs(value)]
        return Request(self.found.method.upper(), self._path(placed["path"]), query, headers, body)

    def _path(self, values: list[tuple[Parameter, Any]]) -> str:
        by_name = {one.name: one.segment(value) for one, value in values}

        def put(match: re.Match[str]) -> str:
            if match[1] not in by_name:
                raise ToolError(f"the argument '{match[1]}' is missing")
            return by_name[match[1]]

        path = _TEMPLATE.sub(put, self.found.path)
        # Dots cannot be quoted so that every server takes them as a name.
        if any(segment in (".", "..") for segment in path.split("/")):
            raise ToolError("an argument would make '.' or '..' of a part of the path, which leads elsewhere")
        return path

    def _body(self, given: Mapping[str, Any]) -> bytes | None:
        if self.body_argument is not None:
            if self.body_argument not in given:
                return None
            content = given[self.body_argument]
        else:
            content = {name: given[argument] for argument, name in self.body_properties.items() if argument in given}
            if not content and not self.body_required:
                return None
        return json.dumps(content, ensure_ascii=False).encode("utf-8", errors="replace")


def read_operation(document: Document, found: FoundOperation, set_by_user: Collection[str]) -> Operation | str:
    """An operation, or why it cannot be a tool.

    Args:
        set_by_user: places and names, such as `header:x-key`, of parameters that the model is not asked for.

    Raises:
        ToolError: the document is wrong where it describes it.
    """
    parameters = [one for one in _parameters(document, found) if f"{one.place}:{one.name.lower()}" not in set_by_user]
    problem = next(filter(None, (one.problem() for one in parameters)), None)
    if problem is not None:
        return problem
    undeclared = set(_TEMPLATE.findall(found.path)) - {one.name for one in parameters if one.place == "path"}
    if undeclared:
        return f"its path has {{{undeclared.pop()}}}, which is none of its parameters"
    body = _json_body(document, found)
    if isinstance(body, str):
        return body
    arguments = _Arguments()
    by_argument = {arguments.add(one.name, one.place, one.schema, one.required): one for one in parameters}
    operation = Operation(found, by_argument, schema=arguments.schema)
    if body is None:
        return operation
    operation = replace(operation, body_type=body.media_type, body_required=body.required)
    if not body.is_plain:
        return replace(operation, body_argument=arguments.add(_BODY, "json", body.schema, body.required))
    required = body.schema.get("required", ())
    properties = {
        arguments.add(name, _BODY, schema, name in required): name for name, schema in body.schema["properties"].items()
    }
    return replace(operation, body_properties=properties)


class _Arguments:
    """One object's properties; a name that is taken is told apart by where it belongs."""

    def __init__(self) -> None:
        self.schema: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}

    def add(self, name: str, place: str, schema: Any, required: bool) -> str:
        argument = name
        while argument in self.schema["properties"]:
            argument += f"_{place}"
        self.schema["properties"][argument] = schema
        if required:
            self.schema.setdefault("required", []).append(argument)
        return argument


def _parameters(document: Document, found: FoundOperation) -> Iterator[Parameter]:
    """Those of the path, replaced by those of the operation where name and place are the same."""
    by_key: dict[tuple[str, str], Parameter] = {}
    for owner in (found.path_item, found.content):
        for number, entry in enumerate(owner.get("parameters") or ()):
            where = f"{found.call}: parameter {number + 1}"
            content = document.followed(entry, where)
            written = content.get("schema")
            if isinstance(content.get("content"), dict):
                media = next(iter(content["content"].values()), None)
                written = document.followed(media, where).get("schema")
            schema = document.schema(written or {}, f"{where} ({content.get('name')})")
            if isinstance(content.get("description"), str) and "description" not in schema:
                schema = schema | {"description": shortened(content["description"])}
            one = parameter(content, schema)
            by_key[one.name, one.place] = one
    for one in by_key.values():
        if not (one.place == "header" and one.name.lower() in _IGNORED_HEADERS):
            yield one


@dataclass(frozen=True)
class _Body:
    media_type: str
    schema: dict[str, Any]
    required: bool

    @property
    def is_plain(self) -> bool:
        """Whether it is an object that must be there, of which nothing is said but its properties."""
        schema = {key: value for key, value in self.schema.items() if (key, value) != ("additionalProperties", False)}
        return (
            set(schema) <= _PLAIN_OBJECT
            and schema.get("type") == "object"
            and bool(schema.get("properties"))
            and set(schema.get("required", ())) <= set(schema["properties"])
            and (self.required or not schema.get("required"))
        )


def _json_body(document: Document, found: FoundOperation) -> _Body | str | None:
    """The body of a request; None: it has none; a text: why it cannot be sent."""
    if not found.content.get("requestBody"):
        return None
    where = f"{found.call}: requestBody"
    content = document.followed(found.content["requestBody"], where)
    media: dict[str, Any] = document.followed(content.get("content"), where)
    media_type = next((name for name in media if _JSON.fullmatch(str(name))), None)
    required = content.get("required") is True
    if media_type is None:
        return f"its body is {' or '.join(map(str, media))}, not JSON" if required else None
    schema = document.schema(document.followed(media[media_type], where).get("schema") or {}, where)
    return _Body(str(media_type), schema, required)
