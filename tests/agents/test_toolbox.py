"""Arguments are checked against the schema a tool has, however odd it is, and nothing is fetched to do so."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from mistralet.agents import AgentTool, Limits
from mistralet.agents.results import Result
from mistralet.agents.toolbox import Toolbox
from mistralet.chat import Tool, ToolCall
from mistralet.errors import ToolError


async def echo(arguments: dict[str, Any]) -> dict[str, Any]:
    return arguments


def toolbox(parameters: dict[str, Any]) -> Toolbox:
    return Toolbox([AgentTool(Tool("echo", parameters=parameters), echo)])


def call(arguments: str) -> ToolCall:
    return ToolCall("id", "echo", arguments)


def test_a_call_that_fits_runs_with_its_arguments() -> None:
    tools = toolbox({"type": "object", "properties": {"x": {"type": "integer"}}})
    assert tools.arguments(call('{"x": 1}')) == {"x": 1}
    assert asyncio.run(tools.run(call('{"x": 1}'), {"x": 1}, Limits())) == Result('{"x":1}')


def test_a_schema_that_holds_itself_is_held_to() -> None:
    tree = {"type": "object", "properties": {"left": {"$ref": "#"}}, "additionalProperties": False}
    assert toolbox(tree).arguments(call('{"left": {"left": {}}}'))
    with pytest.raises(ToolError, match=r"\$\.left\.left: Additional properties"):
        toolbox(tree).arguments(call('{"left": {"left": {"right": 1}}}'))


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "#"}, {"$ref": "#/$defs/missing"}, {"properties": {"x": {"$ref": "http://127.0.0.1:9/schema.json"}}}],
    ids=["round in a circle", "to nothing", "out of the file"],
)
def test_references_that_cannot_be_followed(schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("it goes to the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    with pytest.raises(ToolError, match="cannot be checked against the tool's schema"):
        toolbox(schema).arguments(call('{"x": 1}'))


def test_the_dialect_that_a_schema_names_is_taken() -> None:
    old = {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"x": {"minimum": 1}}}
    exclusive = {"properties": {"x": {"minimum": 1, "exclusiveMinimum": True}}}
    with pytest.raises(ToolError, match="less than or equal to the minimum"):
        toolbox({**old, **exclusive}).arguments(call('{"x": 1}'))


def test_a_huge_value_is_not_repeated_to_the_model() -> None:
    from mistralet.agents.results import result_of_error

    with pytest.raises(ToolError) as caught:
        toolbox({"properties": {"x": {"type": "integer"}}}).arguments(call(f'{{"x": "{"a" * 100_000}"}}'))
    assert len(result_of_error(caught.value).text) < 1200
