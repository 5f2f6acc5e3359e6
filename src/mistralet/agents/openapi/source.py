"""`OpenApi`: the operations of an HTTP service as tools."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mistralet.agents.foreign import chosen, tool_names
from mistralet.agents.openapi.document import Document, FoundOperation
from mistralet.agents.openapi.operation import Operation, read_operation
from mistralet.agents.openapi.service import Service, is_http
from mistralet.agents.shared_source import SharedSource
from mistralet.agents.tool import AgentTool
from mistralet.chat import Tool
from mistralet.errors import ToolError, UsageError

_HARMLESS = ("get", "head")


class OpenApi(SharedSource):
    """A source of the operations that an OpenAPI 3 document describes, each a tool that sends a request.

    A tool takes the operation's parameters and the properties of its JSON body as one object. Operations whose body or
    parameters cannot be written so (uploads, forms, the styles `label` and `matrix`) are left out.

    Args:
        document: the document, its text (JSON or YAML), or the path of its file.
        base_url: where the service is, in place of the document's `servers`.
        headers: sent with each request, such as `Authorization`; the model is not asked for these.
        query: names and values put into each URL, such as a key; the model is not asked for these.
        operations: which of them, by `operationId` or as `GET /pets/{petId}`; None: all.
        prefix: put before the name of each tool.
        trusted: whether all run without a person's consent; else only GET and HEAD do.
        seconds: the longest that one request may take.
    """

    def __init__(
        self,
        document: Mapping[str, Any] | str | Path,
        base_url: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        operations: Sequence[str] | None = None,
        prefix: str = "",
        trusted: bool = False,
        seconds: float = 30.0,
    ) -> None:
        super().__init__()
        tool_names((), prefix)
        if base_url is not None and not is_http(base_url):
            raise UsageError(f"The base URL '{base_url}' must be an http or https address without a query.")
        self._given = document
        self._base_url = base_url
        self._headers = dict(headers or {})
        self._query = dict(query or {})
        self._operations = operations
        self._prefix = prefix
        self._trusted = trusted
        self._seconds = seconds

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Sequence[AgentTool]]:
        document = Document.read(self._given)
        operations = self._chosen_operations(document)
        names = tool_names(operations, self._prefix)
        async with Service(self._headers, self._query, self._seconds) as service:
            yield [
                self._agent_tool(operation, names[name], self._base(document, operation.found), service)
                for name, operation in operations.items()
            ]

    def _chosen_operations(self, document: Document) -> dict[str, Operation]:
        """By name; only those that are wanted are read, as others may be wrong."""
        found = {operation.name: operation for operation in document.operations()}
        found |= {other.call: other for other in document.operations() if found[other.name].call != other.call}
        names = {operation.call: name for name, operation in found.items()}
        wanted = self._operations and [names.get(name, name) for name in self._operations]
        operations = {}
        for name in chosen(list(found), wanted, document.name, "operations"):
            operation = read_operation(document, found[name], self._set_by_user())
            if isinstance(operation, Operation):
                operations[name] = operation
            elif self._operations is not None:
                raise ToolError(f"{document.name}: {found[name].call} cannot be a tool: {operation}.")
        if not operations:
            raise ToolError(f"{document.name} has no operation that can be a tool.")
        return operations

    def _set_by_user(self) -> set[str]:
        return {f"header:{name.lower()}" for name in self._headers} | {f"query:{name.lower()}" for name in self._query}

    def _agent_tool(self, operation: Operation, name: str, base: str, service: Service) -> AgentTool:
        async def run(arguments: dict[str, Any]) -> str:
            return await service.send(base, operation.request(arguments))

        tool = Tool(name, operation.description, operation.schema)
        return AgentTool(tool, run, needs_consent=not (self._trusted or operation.found.method in _HARMLESS))

    def _base(self, document: Document, found: FoundOperation) -> str:
        """Where an operation is: the first server that it, its path or the document names."""
        if self._base_url is not None:
            return self._base_url
        for owner in (found.content, found.path_item, document.content):
            servers = owner.get("servers")
            if isinstance(servers, list) and servers and isinstance(servers[0], dict):
                url = _server_url(servers[0])
                if not is_http(url):
                    raise ToolError(f"{document.name} names the server '{url}', which is no full URL; give base_url.")
                return url
        raise ToolError(f"{document.name} names no server; give base_url.")


def _server_url(server: Mapping[str, Any]) -> str:
    """The URL of a server, with the defaults of its variables."""
    url = str(server.get("url", ""))
    variables = server.get("variables")
    for name, variable in (variables if isinstance(variables, dict) else {}).items():
        if isinstance(variable, dict):
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
    return url
