"""OpenAPI documents as tools: schemas, requests as a service gets them, and answers as the model reads them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.agents import AgentTool
from mistralet.agents.openapi import OpenApi
from mistralet.agents.openapi.document import FoundOperation
from mistralet.agents.openapi.operation import Operation
from mistralet.agents.openapi.parameters import Parameter
from mistralet.errors import ToolError, UsageError
from support.http_server import http_server

PETS = """
openapi: 3.0.3
info: {title: Pets, version: "1"}
servers: [{url: "http://{host}/v1", variables: {host: {default: pets.example}}}]
paths:
  /pets:
    get:
      operationId: list pets
      summary: All pets.
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 0, exclusiveMinimum: true, nullable: true}}
        - {name: tags, in: query, description: Any of these., schema: {type: array, items: {type: string}}}
        - {$ref: "#/components/parameters/Trace"}
        - {name: Authorization, in: header, schema: {type: string}}
    post:
      operationId: add_pet
      description: A new pet.
      requestBody: {$ref: "#/components/requestBodies/Pet"}
  /pets/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {}
    put:
      operationId: replace_pet
      parameters: [{name: name, in: query, schema: {type: string}}]
      requestBody: {$ref: "#/components/requestBodies/Pet"}
    delete: {operationId: delete_pet}
  /photos:
    post:
      operationId: upload
      requestBody: {required: true, content: {image/png: {schema: {type: string, format: binary}}}}
components:
  parameters:
    Trace: {name: X-Trace, in: header, schema: {type: string}}
  requestBodies:
    Pet: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
  schemas:
    Kind: {type: string, enum: [cat, dog], nullable: true, example: cat}
    Pet:
      type: object
      required: [id, name]
      properties:
        id: {type: integer, readOnly: true}
        name: {type: string}
        kind: {$ref: "#/components/schemas/Kind"}
        born: {type: string, format: date, default: 2020-01-01}
"""


GET_PET = Operation(
    FoundOperation("get", "/pets/{id}", {}, {}), {"id": Parameter("id", "path", "simple", False, False, True, {})}
)


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked; a first part of the path may name another answer."""

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        parts = urlsplit(self.path)
        asked = {
            "method": self.command,
            "path": parts.path,
            "query": parse_qsl(parts.query, keep_blank_values=True),
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": json.loads(self.rfile.read(size) or "null"),
        }
        kind, _, rest = parts.path.lstrip("/").partition("/")
        status, headers, body = 200, {"Content-Type": "application/json"}, json.dumps(asked).encode()
        if kind == "missing":
            status, body = 404, b'{"error": "no such pet"}'
        elif kind == "empty":
            status, headers, body = 204, {}, b""
        elif kind == "image":
            headers, body = {"Content-Type": "image/png"}, bytes(34_000)
        elif kind == "large":
            body = b"x" * (3 << 20)
        elif kind == "near" and not rest:
            status, headers = 307, {"Location": "/near/by?a=1"}
        elif kind == "far":
            status, headers = 302, {"Location": "http://other.example/secret"}
        elif kind == "circle":
            status, headers = 302, {"Location": "/circle"}
        elif kind == "latin":
            headers, body = {"Content-Type": "text/plain; charset=iso-8859-1"}, "Grüße".encode("latin-1")
        elif kind == "slow":
            threading.Event().wait(1)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):
            self.wfile.write(body if self.command != "HEAD" else b"")

    do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with http_server(Echo) as url:
        yield url


def tools_of(source: OpenApi) -> dict[str, AgentTool]:
    async def opened() -> dict[str, AgentTool]:
        async with source as tools:
            return {tool.name: tool for tool in tools}

    return asyncio.run(opened())


def call(source: OpenApi, tool_name: str, /, **arguments: Any) -> str:
    async def run() -> str:
        async with source as tools:
            (tool,) = [tool for tool in tools if tool.name == tool_name]
            jsonschema.validate(arguments, tool.tool.parameters)
            return str(await tool.run(arguments))

    return asyncio.run(run())


def asked(source: OpenApi, tool_name: str, /, **arguments: Any) -> dict[str, Any]:
    """What the service was asked by a call."""
    request: dict[str, Any] = json.loads(call(source, tool_name, **arguments))
    return request


def one_operation(content: dict[str, Any], path: str = "/x", method: str = "get", **others: Any) -> dict[str, Any]:
    operation = {"operationId": "one", **content}
    return {
        "openapi": "3.1.0",
        "paths": {path: {method: operation}},
        "servers": [{"url": "http://x.example"}],
        **others,
    }


def with_schema(schema: Any, **schemas: Any) -> OpenApi:
    """A document with one operation whose body has a schema."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return OpenApi(one_operation({"requestBody": body}, method="post", components={"schemas": schemas}))


def test_operations_are_tools() -> None:
    tools = tools_of(OpenApi(PETS))
    assert {name: tool.needs_consent for name, tool in tools.items()} == {
        "list_pets": False,
        "add_pet": True,
        "GET_pets_id": False,
        "replace_pet": True,
        "delete_pet": True,
    }
    assert [tool.tool.description for tool in tools.values()][:3] == ["All pets.", "A new pet.", "GET /pets/{id}"]
    assert tools["list_pets"].tool.parameters == {
        "type": "object",
        "properties": {
            "limit": {"type": ["integer", "null"], "exclusiveMinimum": 0},
            "tags": {"type": "array", "items": {"type": "string"}, "description": "Any of these."},
            "X-Trace": {"type": "string"},
        },
        "additionalProperties": False,
    }
    assert tools["replace_pet"].tool.parameters == {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "name": {"type": "string"},
            "name_body": {"type": "string"},
            "kind": {"type": ["string", "null"], "enum": ["cat", "dog", None]},
            "born": {"type": "string", "format": "date", "default": "2020-01-01"},
        },
        "additionalProperties": False,
        "required": ["id", "name_body"],
    }


def test_a_request(echo: str) -> None:
    source = OpenApi(PETS, f"{echo}/v1/", headers={"X-Key": "secret"}, query={"key": "a b"})
    request = asked(source, "replace_pet", id="ä/../?x#y", name="Tom & Co", name_body="Tim", kind=None)
    assert request["method"] == "PUT"
    assert request["path"] == "/v1/pets/%C3%A4%2F..%2F%3Fx%23y"
    assert request["query"] == [["key", "a b"], ["name", "Tom & Co"]]
    assert request["body"] == {"name": "Tim", "kind": None}
    assert request["headers"]["content-type"] == "application/json"
    assert request["headers"]["x-key"] == "secret"


def test_a_request_without_a_body(echo: str) -> None:
    request = asked(OpenApi(PETS, echo), "list_pets", limit=3, tags=["a", "b,c"], **{"X-Trace": "ü"})
    assert request["query"] == [["limit", "3"], ["tags", "a"], ["tags", "b,c"]]
    assert request["headers"]["x-trace"].encode("latin-1").decode() == "ü"
    assert request["body"] is None
    assert asked(OpenApi(PETS, echo), "list_pets", limit=None)["query"] == []


@given(st.text(min_size=1))
def test_a_value_never_leaves_its_segment_of_the_path(value: str) -> None:
    try:
        path = GET_PET.request({"id": value}).path
    except ToolError:
        assert value in (".", "..")
        return
    assert path.count("/") == 2
    assert not set(path) & set("?#\\ \r\n")
    assert unquote(path.removeprefix("/pets/")) == value


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_value_that_makes_another_path_is_refused(echo: str, value: str) -> None:
    with pytest.raises(ToolError, match="path"):
        call(OpenApi(PETS, echo), "delete_pet", id=value)


def test_a_header_with_a_line_break_is_refused(echo: str) -> None:
    with pytest.raises(ToolError, match="X-Trace"):
        call(OpenApi(PETS, echo), "list_pets", **{"X-Trace": "a\r\nHost: b"})


@pytest.mark.parametrize(
    ("place", "style", "explode", "value", "expected"),
    [
        ("query", "form", True, {"a": 1, "b": True}, [["a", "1"], ["b", "true"]]),
        ("query", "form", False, ["a", "b"], [["p", "a,b"]]),
        ("query", "form", False, {"a": 1}, [["p", "a,1"]]),
        ("query", "spaceDelimited", False, ["a", "b"], [["p", "a b"]]),
        ("query", "pipeDelimited", False, ["a", "b"], [["p", "a|b"]]),
        ("query", "deepObject", True, {"a": 1}, [["p[a]", "1"]]),
        ("path", "simple", False, ["a/b", "c"], "/a%2Fb,c"),
        ("path", "simple", True, {"a": 1, "b": 2.5}, "/a=1,b=2.5"),
        ("header", "simple", False, ["a", 2], "a,2"),
        ("cookie", "form", True, "a;b", "p=a%3Bb"),
    ],
)
def test_styles(echo: str, place: str, style: str, explode: bool, value: Any, expected: Any) -> None:
    parameter = {"name": "p", "in": place, "style": style, "explode": explode, "required": True, "schema": {}}
    path = "/{p}" if place == "path" else "/x"
    request = asked(OpenApi(one_operation({"parameters": [parameter]}, path), echo), "one", p=value)
    header = {"header": "p", "cookie": "cookie"}.get(place, "")
    assert {"query": request["query"], "path": request["path"]}.get(place, request["headers"].get(header)) == expected


def test_a_parameter_as_json(echo: str) -> None:
    parameter = {"name": "p", "in": "query", "content": {"application/json": {"schema": {"type": "object"}}}}
    request = asked(OpenApi(one_operation({"parameters": [parameter]}), echo), "one", p={"a": [1]})
    assert request["query"] == [["p", '{"a": [1]}']]


@pytest.mark.parametrize(
    ("schema", "argument", "body"),
    [
        ({"type": "array", "items": {"type": "integer"}}, {"body": [1]}, [1]),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"body": {"a": 1}}, {"a": 1}),
        ({"oneOf": [{"type": "string"}, {"type": "null"}]}, {"body": None}, None),
        ({"type": "object", "properties": {"a": {}}, "minProperties": 1}, {"body": {"a": 1}}, {"a": 1}),
        ({"type": "object", "properties": {"a": {}}}, {"a": None}, {"a": None}),
    ],
)
def test_a_body_is_spread_only_where_nothing_is_lost(
    echo: str, schema: dict[str, Any], argument: dict[str, Any], body: Any
) -> None:
    content = {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
    assert asked(OpenApi(one_operation(content, method="post"), echo), "one", **argument)["body"] == body


def test_an_optional_body_may_be_left_out(echo: str) -> None:
    schema = {"type": "object", "properties": {"a": {}}}
    content = {"requestBody": {"content": {"application/merge-patch+json": {"schema": schema}}}}
    source = OpenApi(one_operation(content, method="patch"), echo)
    assert "content-type" not in asked(source, "one")["headers"]
    assert asked(source, "one", a=1)["headers"]["content-type"] == "application/merge-patch+json"


def test_a_schema_beside_a_reference() -> None:
    schema = {
        "type": "object",
        "properties": {
            "told": {"$ref": "#/components/schemas/A", "description": "an A"},
            "bound": {"$ref": "#/components/schemas/A", "maxLength": 3},
            "any": True,
        },
    }
    tool = tools_of(with_schema(schema, A={"type": "string", "x-note": 1}))["one"].tool
    assert tool.parameters["properties"] == {
        "told": {"type": "string", "description": "an A"},
        "bound": {"allOf": [{"type": "string"}, {"maxLength": 3}]},
        "any": True,
    }


@pytest.mark.parametrize(
    ("schemas", "message"),
    [
        ({"A": {"properties": {"a": {"$ref": "#/components/schemas/A"}}}}, "schemas/A contains itself, at POST /x"),
        ({"A": {"$ref": "#/components/schemas/B"}, "B": {"items": {"$ref": "#/components/schemas/A"}}}, "itself"),
        ({"A": {"$ref": "other.json#/A"}}, "refers to other.json#/A, outside of the document"),
        ({"A": {"$ref": "#/components/schemas/Z"}}, "refers to #/components/schemas/Z, which is not there"),
    ],
)
def test_references_that_lead_nowhere_or_in_a_circle(schemas: dict[str, Any], message: str) -> None:
    with pytest.raises(ToolError, match=message):
        tools_of(with_schema({"$ref": "#/components/schemas/A"}, **schemas))


def test_a_schema_that_doubles_itself_again_and_again() -> None:
    schemas: dict[str, Any] = {"A40": {"type": "string"}}
    for number in range(40):
        twice = {"$ref": f"#/components/schemas/A{number + 1}"}
        schemas[f"A{number}"] = {"properties": {"a": twice, "b": twice}}
    with pytest.raises(ToolError, match="too large"):
        tools_of(with_schema({"$ref": "#/components/schemas/A0"}, **schemas))


def test_a_deep_schema_is_no_crash() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"items": schema}
    with pytest.raises(ToolError, match="too deep"):
        tools_of(with_schema(schema))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/missing", 'HTTP 404 Not Found: {"error": "no such pet"}'),
        ("/far", "redirects to http://other.example, which is not followed"),
        ("/circle", "redirected more than 3 times"),
        ("/slow", "did not answer within 0.3 seconds"),
    ],
)
def test_answers_that_are_errors(echo: str, path: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        call(OpenApi(one_operation({}, path), echo, seconds=0.3), "one")


def test_answers(echo: str) -> None:
    def answer(path: str, method: str = "get") -> str:
        return call(OpenApi(one_operation({}, path, method), echo), "one")

    assert answer("/empty") == "HTTP 204 No Content"
    assert answer("/image") == "[image/png, 34 kB, not shown]"
    assert answer("/latin") == "Grüße"
    assert answer("/x", "head") == "HTTP 200 OK"
    assert json.loads(answer("/near"))["query"] == [["a", "1"]]
    large = answer("/large")
    assert large.endswith("[Cut here: the answer is longer than 1 MiB.]")
    assert len(large) < 1.1 * (1 << 20)


def test_nobody_listens() -> None:
    with pytest.raises(ToolError, match="the service cannot be reached: "):
        call(OpenApi(one_operation({}), "http://127.0.0.1:1"), "one")


def test_what_the_user_sets_is_not_asked_of_the_model(echo: str) -> None:
    parameters = [
        {"name": "X-Key", "in": "header", "required": True, "schema": {"type": "string"}},
        {"name": "appid", "in": "query", "required": True, "schema": {"type": "string"}},
    ]
    source = OpenApi(one_operation({"parameters": parameters}), echo, headers={"x-key": "k"}, query={"appid": "7"})
    assert tools_of(source)["one"].tool.parameters["properties"] == {}
    request = asked(source, "one")
    assert (request["headers"]["x-key"], request["query"]) == ("k", [["appid", "7"]])


def test_operations_are_chosen(tmp_path: Path) -> None:
    file = tmp_path / "pets.yaml"
    file.write_text(PETS)
    chosen = ["DELETE /pets/{id}", "list pets"]
    assert list(tools_of(OpenApi(file, operations=chosen, prefix="p_"))) == ["p_list_pets", "p_delete_pet"]
    assert not tools_of(OpenApi(str(file), trusted=True))["delete_pet"].needs_consent
    with pytest.raises(ToolError, match="does not offer 'list_pet'; it offers list pets"):
        tools_of(OpenApi(file, operations=["list_pet"]))
    with pytest.raises(ToolError, match="POST /photos cannot be a tool: its body is image/png, not JSON"):
        tools_of(OpenApi(file, operations=["upload"]))


def test_a_wrong_operation_that_is_not_chosen_does_no_harm() -> None:
    circle = {"content": {"application/json": {"schema": {"$ref": "#/paths"}}}}
    paths = {"/good": {"get": {}}, "/bad": {"post": {"requestBody": circle, "parameters": [{"$ref": "#/nothing"}]}}}
    document = {"openapi": "3.1.0", "paths": paths, "servers": [{"url": "http://x.example"}]}
    with pytest.raises(ToolError, match="#/nothing"):
        tools_of(OpenApi(document))
    assert list(tools_of(OpenApi(document, operations=["GET /good"]))) == ["GET_good"]


def test_too_many_operations() -> None:
    paths = {f"/p{number}": {"get": {}} for number in range(500)}
    document = {"openapi": "3.1.0", "paths": paths, "servers": [{"url": "http://x.example"}]}
    with pytest.raises(ToolError, match=r"offers 500 tools, .* choose some with operations=\[...\]"):
        tools_of(OpenApi(document))
    assert len(tools_of(OpenApi(document, operations=["GET /p7", "GET /p8"]))) == 2


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "is no JSON"),
        ("a: [\n", "is no YAML"),
        ("just\ntext", "is no OpenAPI document"),
        ({"openapi": "3.0.0"}, "has no 'paths'"),
        ({"swagger": "2.0", "paths": {}}, "version 2.0"),
        ({"openapi": "3.0.0", "paths": {}}, "offers no tools"),
        ({"openapi": "3.0.0", "paths": {"@evil.example/": {"get": {}}}}, "does not begin with /"),
        ({"openapi": "3.0.0", "paths": {"/x": {"get": {}}}}, "names no server"),
        ({"openapi": "3.0.0", "paths": {"/x": {"get": {}}}, "servers": [{"url": "/api"}]}, "'/api', .* give base_url"),
        ("/no/such/file.json", "cannot be read"),
    ],
)
def test_documents_that_are_wrong(document: Any, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        tools_of(OpenApi(document))


@pytest.mark.parametrize("url", ["ftp://x", "x.example", "http://", "http://x/?a=1", "http://[x"])
def test_base_urls_that_are_wrong(url: str) -> None:
    with pytest.raises(UsageError, match="base URL"):
        OpenApi(PETS, url)


def test_the_server_of_an_operation_comes_first() -> None:
    source = OpenApi(one_operation({"servers": [{"url": "http://127.0.0.1:1"}]}))
    with pytest.raises(ToolError, match="cannot be reached"):
        call(source, "one")
