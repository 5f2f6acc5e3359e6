"""The rules that tools and the choice among them must keep, and how a template lists a tool."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mistralet.chat.json_values import TOO_DEEP, value_problem
from mistralet.chat.names import name_problem
from mistralet.chat.request import ChatRequest, NamedTool, Tool
from mistralet.engine.constraint.schema import endless_references
from mistralet.errors import PromptError, ToolError
from mistralet.tokenizer.base import text_problem

MOST_TOOLS = 128  # OpenAI's limit


def check_tools(request: ChatRequest) -> None:
    """Refuse tools no model of the family can be told of, and a choice that cannot be met.

    Raises:
        ToolError: there are too many, two have one name, a description is invalid, or the choice names none of them.
        PromptError: no message of the user is there, before which the templates list tools.
    """
    tools, choice = request.tools, request.tool_choice
    if len(tools) > MOST_TOOLS:
        raise ToolError(f"there are {len(tools)} tools, more than {MOST_TOOLS}; leave out those the task does not need")
    _check_names(tools)
    for index, tool in enumerate(tools):
        if problem := _problem(tool):
            raise ToolError(f"tools[{index}] {tool.name!r}: {problem}")
    if isinstance(choice, NamedTool) and choice.name not in {tool.name for tool in tools}:
        raise ToolError(f"tool_choice names {choice.name!r}, which is none of the tools; name one of them")
    if choice == "required" and not tools:
        raise ToolError("tool_choice is 'required', but there are no tools; add one, or choose 'auto'")
    if tools and not any(message.role == "user" for message in request.messages):
        raise PromptError("there are tools, but no message of the user, before which they are listed; add one")


def described(tool: Tool) -> dict[str, Any]:
    """What the model is told of a tool (SPEC 3.2)."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _check_names(tools: Sequence[Tool]) -> None:
    places: dict[str, int] = {}
    for index, tool in enumerate(tools):
        if problem := name_problem(tool.name):
            raise ToolError(f"tools[{index}].name {problem}")
        first = places.setdefault(tool.name, index)
        if first != index:
            raise ToolError(f"tools[{index}] and tools[{first}] are both called {tool.name!r}; rename one")


def _problem(tool: Tool) -> str | None:
    """To be read after the name of the tool."""
    if problem := text_problem(tool.description):
        return f"the description {problem}"
    if problem := parameters_problem(tool.parameters):
        return f"the JSON schema of the parameters {problem}"
    return None


def parameters_problem(schema: object) -> str | None:
    """Why `schema` describes no tool's parameters, to be read after a word for it; None if it does."""
    if not isinstance(schema, dict):
        return f"is a {type(schema).__name__}; give an object, such as {{'type': 'object'}}"
    if problem := _json_problem(schema) or _draft_problem(schema):
        return problem
    kinds = schema.get("type", "object")
    if "object" not in ([kinds] if isinstance(kinds, str) else kinds):
        return f"has the type {kinds!r}, but arguments are an object; give the type 'object'"
    if endless := endless_references(schema):
        return (
            f"has a '$ref' ({min(endless)!r}) to what holds another of its kind without end; "
            "make the property that recurs optional, or allow null for it"
        )
    return None


def _json_problem(schema: dict[str, Any]) -> str | None:
    try:
        text = json.dumps(schema, ensure_ascii=False, allow_nan=False)  # also finds an object that holds itself
    except RecursionError:
        return TOO_DEEP
    except (TypeError, ValueError) as error:
        return f"is not JSON ({error}); correct it"
    return value_problem(schema) or text_problem(text)


def _draft_problem(schema: dict[str, Any]) -> str | None:
    """What makes it no JSON schema, by the rules of Draft 7, which are mistral-common's."""
    import jsonschema

    try:
        jsonschema.Draft7Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return f"is invalid at {error.json_path} ({error.message.splitlines()[0][:200]}); correct it"
    return None
