"""`Toolbox`: the tools of a run, open; it finds them by name, checks arguments and runs them within bounds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast

import jsonschema
from jsonschema.protocols import Validator
from referencing import Registry

from mistralet.agents.function_tool import function_tool
from mistralet.agents.limits import Limits
from mistralet.agents.results import Result, error_result, result_of, result_of_error
from mistralet.agents.tool import AgentTool, ToolSource
from mistralet.chat import Tool, ToolCall
from mistralet.chat.json_values import parse_arguments
from mistralet.chat.names import CHARACTERS, LONGEST
from mistralet.errors import ToolError

AnyTool = AgentTool | ToolSource | Callable[..., Any]

_GRACE = 0.5  # seconds that a tool has for tidying up after its time is over


@asynccontextmanager
async def open_tools(tools: Sequence[AnyTool]) -> AsyncIterator[list[AgentTool]]:
    """Tools, typed functions and sources of tools as tools; the sources are open until the block ends.

    Raises:
        ToolError: a function cannot be a tool, or a source cannot be opened.
    """
    async with AsyncExitStack() as stack:
        opened: list[AgentTool] = []
        for tool in tools:
            if isinstance(tool, AgentTool):
                opened.append(tool)
            elif hasattr(tool, "__aenter__"):
                source = cast(AbstractAsyncContextManager[Sequence[AgentTool]], tool)
                opened += await stack.enter_async_context(source)
            elif callable(tool):
                opened.append(function_tool(tool))
            else:
                raise ToolError(f"A tool is given as {type(tool).__name__}; give a function or an AgentTool.")
        yield opened


class Toolbox:
    """Tools by name.

    Raises:
        ToolError: two tools have one name, or a schema is none.
    """

    def __init__(self, tools: Sequence[AgentTool]) -> None:
        self._tools: dict[str, AgentTool] = {}
        self._validators: dict[str, Validator] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ToolError(f"Two tools are called '{tool.name}'; rename one or leave it out.")
            self._tools[tool.name] = tool
            self._validators[tool.name] = _validator(tool.tool)

    @property
    def tools(self) -> list[Tool]:
        """What the model is told of."""
        return [tool.tool for tool in self._tools.values()]

    def __getitem__(self, name: str) -> AgentTool:
        return self._tools[name]

    def arguments(self, call: ToolCall) -> dict[str, Any]:
        """The arguments of a call, read and checked.

        Raises:
            ToolError: there is no such tool, or they do not fit it; the sentence is meant for the model.
        """
        if call.name not in self._tools:
            raise ToolError(f"there is no tool called '{call.name}'; there are: {', '.join(self._tools) or 'none'}")
        try:
            arguments = parse_arguments(call.arguments)
        except ValueError as error:
            raise ToolError(f"the text of the arguments {error}") from error
        try:
            problem = jsonschema.exceptions.best_match(self._validators[call.name].iter_errors(arguments))
        except Exception as error:  # a reference that leads nowhere or round in a circle
            raise ToolError(f"the arguments cannot be checked against the tool's schema: {error}") from error
        if problem is not None:
            raise ToolError(f"the arguments do not fit the tool's schema: {problem.json_path}: {problem.message}")
        return arguments

    def expressible(self, call: ToolCall) -> ToolCall:
        """A call that was refused, as it may stand in a conversation: templates take names and objects only."""
        name = re.sub(f"[^{CHARACTERS}]", "_", call.name)[:LONGEST] or "unnamed"
        try:
            parse_arguments(call.arguments)
        except ValueError:
            return ToolCall(call.id, name, "{}")
        return ToolCall(call.id, name, call.arguments)

    async def run(self, call: ToolCall, arguments: dict[str, Any], limits: Limits) -> Result:
        """Run a call with its checked arguments. Whatever the tool does, a result comes of it, and in time."""
        tool = self._tools[call.name]
        seconds = tool.timeout or limits.tool_seconds
        task = asyncio.create_task(_outcome(tool, arguments, limits.result_characters))
        try:
            await asyncio.wait({task}, timeout=seconds)
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=_GRACE)
                return error_result(f"the tool did not end within {seconds:g} seconds and was given up")
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait({task}, timeout=_GRACE)
            raise
        return task.result()


async def _outcome(tool: AgentTool, arguments: dict[str, Any], longest: int) -> Result:
    try:
        return result_of(await tool.run(arguments), longest)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return result_of_error(error)  # its own: nobody cancelled it
    except (Exception, SystemExit, BaseExceptionGroup) as error:
        return result_of_error(error)


def _validator(tool: Tool) -> Validator:
    kind = jsonschema.validators.validator_for(tool.parameters, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(tool.parameters)
    except (jsonschema.SchemaError, RecursionError) as error:
        where = getattr(error, "json_path", "$")
        why = getattr(error, "message", "it is too deep")
        raise ToolError(f"The schema of the tool '{tool.name}' is none: {where}: {why}") from error
    # With a registry of its own, nothing is fetched from the network.
    validator: Validator = kind(tool.parameters, registry=Registry())
    return validator
