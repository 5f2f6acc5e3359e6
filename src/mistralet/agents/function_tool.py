"""`function_tool`: a typed Python function as a tool; hints and docstring say how it is called."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from docstring_parser import ParseError, parse
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from mistralet.agents.threads import run_in_thread
from mistralet.agents.tool import AgentTool
from mistralet.chat import Tool
from mistralet.chat.names import name_problem
from mistralet.engine.constraint.schema import DATA_KEYWORDS, NAMED_KEYWORDS
from mistralet.errors import ToolError


def function_tool(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    needs_consent: bool = False,
    timeout: float | None = None,
) -> AgentTool:
    """A tool that calls a function.

    The function's hints become the schema, its docstring (Google, NumPy, reST or plain) the descriptions; arguments
    are converted to what the hints say, so that a dataclass, a pydantic model, an Enum or a date arrives as one.
    A function that is not `async` runs in a thread of its own.

    Args:
        name: what the model calls it; the function's name, if None.
        timeout: seconds; None: that of the agent's limits.

    Raises:
        ToolError: the function has no usable name, takes `*args` or `**kwargs`, or has a hint without a JSON schema.
    """
    name = name or str(getattr(function, "__name__", ""))
    if problem := name_problem(name):
        raise ToolError(f"The function cannot be a tool: {problem}")
    doc = _read_docstring(function)
    signature = _signature(function, name)
    model = _arguments_model(function, name, signature, {param.arg_name: param.description for param in doc.params})
    description = "\n\n".join(filter(None, (doc.short_description, doc.long_description)))
    tool = Tool(name, description, _schema(model, name))

    async def run(arguments: dict[str, Any]) -> object:
        bound = inspect.BoundArguments(signature, _converted(model, arguments))
        bound.apply_defaults()
        if inspect.iscoroutinefunction(function):
            return await function(*bound.args, **bound.kwargs)
        value = await run_in_thread(lambda: function(*bound.args, **bound.kwargs))
        return await value if inspect.isawaitable(value) else value

    return AgentTool(tool, run, needs_consent, timeout)


def _read_docstring(function: Callable[..., Any]) -> Any:
    text = inspect.getdoc(_as_written(function)) or ""
    try:
        return parse(text)
    except ParseError:  # no style it knows: a plain text
        return parse(text.split("\n\n", 1)[0])


def _as_written(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that has the hints and the docstring: what a partial calls, or an object does when called."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _signature(function: Callable[..., Any], name: str) -> inspect.Signature:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise ToolError(f"The function '{name}' cannot be a tool: Python does not know what it takes.") from error
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ToolError(f"The function '{name}' cannot be a tool: it takes {parameter}; name each argument.")
    return signature


def _arguments_model(
    function: Callable[..., Any], name: str, signature: inspect.Signature, descriptions: dict[str, str | None]
) -> type[BaseModel]:
    """A pydantic model of the arguments; a field's name is its place, as an argument may be called as a method is."""
    try:
        hints = get_type_hints(_as_written(function), include_extras=True)
    except Exception as error:
        raise ToolError(f"The function '{name}' cannot be a tool: its hints cannot be read ({error}).") from error
    fields: dict[str, Any] = {}
    for place, parameter in enumerate(signature.parameters.values()):
        default = PydanticUndefined if parameter.default is parameter.empty else parameter.default
        field = Field(default, alias=parameter.name, description=descriptions.get(parameter.name))
        fields[f"argument{place}"] = (hints.get(parameter.name, Any), field)
    try:
        return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    except (PydanticUserError, TypeError) as error:
        raise ToolError(f"The function '{name}' cannot be a tool: {_first_line(error)}") from error


class _Schema(GenerateJsonSchema):
    """Says nothing of a default that is no JSON value: the function knows it."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012


def _schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    try:
        schema: dict[str, Any] = _without_titles(model.model_json_schema(schema_generator=_Schema))
    except PydanticUserError as error:
        raise ToolError(f"The function '{name}' cannot be a tool: {_first_line(error)}") from error
    return {"properties": {}, **schema}


def _without_titles(schema: Any) -> Any:
    """A schema without the titles that pydantic makes of names, which cost tokens and say nothing."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    for key, value in kept.items():
        if key in NAMED_KEYWORDS:
            kept[key] = {name: _without_titles(inner) for name, inner in value.items()}
        elif key not in DATA_KEYWORDS:
            kept[key] = _without_titles(value)
    return kept


def _converted(model: type[BaseModel], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that were given, as the hints want them."""
    try:
        validated = model.model_validate(arguments)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
        raise ToolError(f"the arguments do not fit: {'; '.join(problems)}") from error
    given = validated.model_fields_set
    return {str(info.alias): getattr(validated, key) for key, info in model.model_fields.items() if key in given}


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
