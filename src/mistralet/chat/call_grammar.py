"""What an answer must fit where there are tools: text is free, a call names a tool and fits its schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mistralet.chat.request import ChatRequest, NamedTool, Tool
from mistralet.engine.constraint import Constraint, loosened, not_held_to, schema_text
from mistralet.errors import ConstraintError, ToolError

# Beside one of them, a schema's own `properties` are not all the names it may have.
_NAMING = ("$ref", "additionalProperties", "allOf", "anyOf", "if", "oneOf", "patternProperties")


@dataclass(frozen=True)
class CallSyntax:
    """How a template writes calls, in llguidance's Lark; `call` is the rule for what `written` gives of any tool."""

    text: str  # a terminal: free text
    opener: str  # what comes before `several` or `one`
    text_and_opener: str  # the same, after free text or none
    one: str  # a single call
    several: str  # one call or more
    written: Callable[[str, str], str]  # a call, of the name and the rule of the arguments
    rules: str = ""  # that the others refer to


def call_constraint(request: ChatRequest, syntax: CallSyntax) -> Constraint | None:
    """The grammar of an answer to `request`; None if it is free.

    Raises:
        ToolError: a tool's arguments cannot be held to its schema; the sentence names the tool.
        ConstraintError: the answer's own schema is unusable.
    """
    schema = request.answer_schema
    if not request.tools:
        return None if schema is None else Constraint.json_schema(schema)
    starts, rules = [], [f"TEXT: {syntax.text}"]
    if request.tool_choice in ("auto", "none"):
        starts.append("TEXT?" if schema is None else "answer")
    if request.tool_choice != "none":
        is_free = request.tool_choice == "auto" and schema is None
        starts.append(f"{syntax.text_and_opener if is_free else syntax.opener} calls")
        rules += _call_rules(request, syntax)
    if "answer" in starts and schema is not None:
        rules.append(f"answer: %json {schema_text(schema)}")
    return Constraint("grammar of the tools", "\n".join([f"start: {' | '.join(starts)}", *rules]) + "\n")


def arguments_schema(tool: Tool) -> dict[str, Any]:
    """What decoding holds the arguments of a tool to.

    What fits it fits `tool.parameters`, but for keywords that a tool which is not strict may have and that cannot be
    held to. Only names that the schema lists are allowed where it lists any and says nothing of others.
    """
    schema: dict[str, Any] = {"type": "object"} | (tool.parameters if tool.strict else loosened(tool.parameters))
    listed, required = schema.get("properties"), schema.get("required", [])
    says_nothing_of_others = not any(keyword in tool.parameters for keyword in _NAMING)
    if listed is not None and says_nothing_of_others and set(required) <= set(listed):
        schema["additionalProperties"] = False
    return schema


def _call_rules(request: ChatRequest, syntax: CallSyntax) -> list[str]:
    chosen = request.tool_choice
    tools = [tool for tool in request.tools if not isinstance(chosen, NamedTool) or tool.name == chosen.name]
    calls = syntax.several if request.parallel_tool_calls else syntax.one
    written = [syntax.written(tool.name, f"arguments_{index}") for index, tool in enumerate(tools)]
    arguments = [f"arguments_{index}: %json {_arguments_text(tool)}" for index, tool in enumerate(tools)]
    rules = [syntax.rules] if syntax.rules else []
    return [f"calls: {calls}", f"call: {' | '.join(written)}", *arguments, *rules]


def _arguments_text(tool: Tool) -> str:
    if tool.strict and (keywords := not_held_to(tool.parameters)):
        raise ToolError(
            f"The schema of the arguments of the tool '{tool.name}' uses keywords that cannot be enforced:"
            f" {', '.join(sorted(keywords))}; leave them out, or do not ask for 'strict'."
        )
    try:
        return schema_text(arguments_schema(tool))
    except ConstraintError as error:
        problem = str(error).removeprefix("The JSON schema ")
        raise ToolError(f"The schema of the arguments of the tool '{tool.name}' {problem}") from error
