"""The examples of docs/tool-sources.md are ones that work."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from mistralet import agents
from mistralet.agents.mcp import McpServer
from mistralet.agents.openapi import OpenApi

PAGE = (Path(__file__).parents[2] / "docs" / "tool-sources.md").read_text(encoding="utf-8")
PETS = """
openapi: 3.1.0
paths:
  /pets: {get: {operationId: listPets}, post: {operationId: addPet}}
  /pets/{petId}: {get: {operationId: getPet, parameters: [{name: petId, in: path, schema: {type: string}}]}}
"""


def test_the_python_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(agents, "Agent", lambda _url, tools: given.extend(tools), raising=False)
    monkeypatch.chdir(tmp_path)
    Path("petstore.yaml").write_text(PETS)
    names: dict[str, Any] = {"__name__": "tool_sources_page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code, "tool-sources.md", "exec"), names)
    files, tickets, pets = given
    assert (files.name, tickets.name) == ("npx @modelcontextprotocol/server-filesystem", "mcp.example.com")
    assert isinstance(pets, OpenApi)

    async def names_of_tools() -> list[str]:
        async with pets as tools:
            return [tool.name for tool in tools]

    assert asyncio.run(names_of_tools()) == ["listPets", "getPet"]


def test_the_file_of_servers(tmp_path: Path) -> None:
    (content,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "servers.json").write_text(content)
    assert [server.name for server in McpServer.parse(str(tmp_path / "servers.json"))] == ["files", "tickets"]


def test_what_the_flag_may_be() -> None:
    flags = re.findall(r'--mcp (?:"([^"]+)"|(\S+))', PAGE)
    values = [quoted or plain for quoted, plain in flags if not plain.endswith(".json")]
    assert [McpServer.parse(value)[0].name for value in values] == [
        "npx @modelcontextprotocol/server-filesystem",
        "mcp.example.com",
    ]
