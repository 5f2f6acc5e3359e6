"""`answer_constraint`: what an answer must fit, so that its calls name tools and fit their schemas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mistralet.chat.request import ChatRequest, NamedTool, Tool
from mistralet.engine.constraint import Constraint, loosened, quick_problem, schema_text
from mistralet.errors import ConstraintError, ToolError

# Keywords beside which "no other names" would forbid names that they allow.
_COMBINING = ("$ref", "allOf", "anyOf", "oneOf", "if", "patternProperties", "unevaluatedProperties", "dependentSchemas")

_MOST_NAMED = 4  # tools in an error of the whole grammar


@dataclass(frozen=True)
class CallSyntax:
    """How a template writes text and calls, in Lark.

    Each call of a tool refers to the rule `arguments_N`, N being the number of the tool.
    """

    # The rules `text` and `text_then_calls`, which need the rule `calls`.
    text: str
    # The rule `calls`, for the tools' names, each with its number; whether there may be several.
    calls: Callable[[Sequence[tuple[int, str]], bool], str]


def answer_constraint(request: ChatRequest, syntax: CallSyntax) -> Constraint | None:
    """See `ChatFormat.constraint`."""
    schema = request.answer_schema
    if schema is not None and request.messages[-1].prefix:
        raise ConstraintError(
            "An answer that goes on from a begun one cannot be held to a schema; leave out the schema, or the prefix."
        )
    if not request.tools:
        return None if schema is None else Constraint.json_schema(schema)
    if request.tool_choice == "none":
        return Constraint.lark(f"start: text\n{syntax.text}") if schema is None else Constraint.json_schema(schema)
    start = _start(request)
    numbered = _callable_tools(request)
    rules = [
        f"start: {start}",
        *([syntax.text] if "text" in start else []),
        *([f"answer: %json {schema_text(schema)}"] if schema is not None and "answer" in start else []),
        syntax.calls([(number, tool.name) for number, tool in numbered], request.parallel_tool_calls),
        *(f"arguments_{number}: %json {_arguments(number, tool)}" for number, tool in numbered),
    ]
    names = f"{len(numbered)} tools" if len(numbered) > _MOST_NAMED else ", ".join(tool.name for _, tool in numbered)
    return Constraint(f"grammar for calls of {names}", "\n".join(rules))


def _start(request: ChatRequest) -> str:
    if request.tool_choice != "auto":
        return "calls"
    return "text | text_then_calls" if request.answer_schema is None else "answer | calls"


def _callable_tools(request: ChatRequest) -> list[tuple[int, Tool]]:
    choice = request.tool_choice
    numbered = list(enumerate(request.tools))
    return [pair for pair in numbered if pair[1].name == choice.name] if isinstance(choice, NamedTool) else numbered


def _arguments(number: int, tool: Tool) -> str:
    """What belongs after `%json` for the arguments of a tool."""
    schema = _closed(tool.parameters | {"type": "object"})
    if not tool.strict:
        schema = loosened(schema)
    problem = quick_problem(schema)
    try:
        if problem is None:
            return schema_text(schema)
    except ConstraintError as error:
        problem = str(error).removeprefix("The JSON schema ").removesuffix(".")
    remedy = " (strict false would have it left out)" if tool.strict and quick_problem(loosened(schema)) is None else ""
    raise ToolError(f"tools[{number}] {tool.name!r}: the JSON schema of the parameters {problem}{remedy}")


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without names that it does not state, if it states any and says nothing of others."""
    properties = schema.get("properties")
    if (
        not isinstance(properties, dict)
        or "additionalProperties" in schema
        or any(keyword in schema for keyword in _COMBINING)
        or not set(schema.get("required", [])) <= set(properties)
    ):
        return schema
    return schema | {"additionalProperties": False}
