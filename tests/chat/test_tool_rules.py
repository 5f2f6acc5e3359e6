from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mistralet.chat import ChatRequest, Message, NamedTool, Tool, chat_format
from mistralet.errors import MistraletError, PromptError, ToolError
from mistralet.tokenizer import BpeTokenizer, TekkenTokenizer

USER = [Message("user", "Hi")]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return {"type": "object", "properties": {"a": schema}}


def holding_itself() -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    schema["properties"] = {"a": schema, "b": schema}
    return schema


def recursive(**node: Any) -> dict[str, Any]:
    return {"$defs": {"node": node}, "type": "object", "properties": {"tree": {"$ref": "#/$defs/node"}}}


def with_schema(parameters: Any) -> ChatRequest:
    return ChatRequest(USER, [Tool("first"), Tool("f", "", parameters)])


SCHEMA = r"tools\[1\] 'f': the JSON schema of the parameters "
NEXT = {"$ref": "#/$defs/node"}
WEATHER = Tool("weather", "", CITY)

BROKEN: dict[str, tuple[ChatRequest, str]] = {
    "a name that is no identifier": (
        ChatRequest(USER, [Tool("get weather!")]),
        r"tools\[0\].name 'get weather!' is no",
    ),
    "no name": (ChatRequest(USER, [Tool("f"), Tool("")]), r"tools\[1\].name '' is no name of a tool; use letters"),
    "a long name": (ChatRequest(USER, [Tool("x" * 5000)]), r"tools\[0\].name 'x{77}\.\.\.' is no name"),
    "a line break in a name": (ChatRequest(USER, [Tool("f\n")]), r"tools\[0\].name 'f\\n' is no name"),
    "one name twice": (ChatRequest(USER, [WEATHER, Tool("f"), WEATHER]), r"tools\[2\] and tools\[0\] are both called"),
    "500 tools": (ChatRequest(USER, [Tool(f"t{i}") for i in range(500)]), "there are 500 tools, more than 128"),
    "half a character": (ChatRequest(USER, [Tool("f", "a\udc00")]), r"tools\[0\] 'f': the description holds half a"),
    "half a character in the schema": (with_schema({"type": "object", "title": "\ud800"}), SCHEMA + "holds half a"),
    "a list for a schema": (with_schema([]), SCHEMA + "is a list; give an object"),
    "no JSON": (with_schema({"type": "object", "default": {1, 2}}), SCHEMA + r"is not JSON \(.*set"),
    "no number": (with_schema({"type": "object", "default": float("nan")}), SCHEMA + "is not JSON"),
    "a key that is a number": (with_schema({"type": "object", "properties": {1: {}}}), SCHEMA + "has a key that is no"),
    "a tuple": (with_schema({"type": "object", "required": ("a",)}), SCHEMA + "holds a tuple, which JSON cannot"),
    "a schema in itself": (with_schema(holding_itself()), SCHEMA + r"is not JSON \(Circular"),
    "too deep": (with_schema(nested(62)), SCHEMA + "is nested more than 64 deep"),
    "far too deep": (with_schema(nested(50_000)), SCHEMA + "is nested more than 64 deep"),
    "an unknown type": (
        with_schema({"type": "object", "properties": {"a": {"type": "str"}}}),
        SCHEMA + r"is invalid at \$",
    ),
    "a broken pattern": (
        with_schema({"type": "object", "properties": {"a": {"pattern": "("}}}),
        SCHEMA + "is invalid at",
    ),
    "no object": (with_schema({"type": "string"}), SCHEMA + "has the type 'string', but arguments are an object"),
    "one of no objects": (with_schema({"type": ["array", "null"]}), SCHEMA + r"has the type \['array', 'null'\]"),
    "a cycle": (
        with_schema(recursive(type="object", properties={"next": NEXT}, required=["next"])),
        SCHEMA + r"has a '\$ref' \('#/\$defs/node'\) to what holds another of its kind without end",
    ),
    "a cycle of references": (with_schema(recursive(**NEXT)), SCHEMA + r"has a '\$ref'"),
    "a cycle at the root": (
        with_schema({"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]}),
        SCHEMA + r"has a '\$ref' \('#'\)",
    ),
    "an unknown choice": (
        ChatRequest(USER, [WEATHER], NamedTool("wether")),
        "tool_choice names 'wether', which is none",
    ),
    "a choice of nothing": (ChatRequest(USER, (), NamedTool("f")), "tool_choice names 'f', which is none of the tools"),
    "required without tools": (ChatRequest(USER, (), "required"), "tool_choice is 'required', but there are no tools"),
    "nobody to list them before": (ChatRequest([Message("system", "x")], [WEATHER]), "no message of the user"),
}

FINE: dict[str, ChatRequest] = {
    "128 tools": ChatRequest(USER, [Tool(f"t{i}") for i in range(128)]),
    "an empty schema": with_schema({}),
    "an object or nothing": with_schema({"type": ["object", "null"]}),
    "as deep as may be": with_schema(nested(61)),
    "a tree": with_schema(recursive(type="object", properties={"children": {"type": "array", "items": NEXT}})),
    "a list with an end": with_schema(
        recursive(type="object", properties={"next": {"anyOf": [NEXT, {"type": "null"}]}}, required=["next"])
    ),
    "a reference to elsewhere": with_schema({"type": "object", "properties": {"a": {"$ref": "https://example.com/a"}}}),
    "a property called $ref": with_schema({"type": "object", "properties": {"$ref": {"type": "string"}}}),
    "none chosen": ChatRequest(USER, [WEATHER], "none"),
    "none chosen of none": ChatRequest(USER, (), "none"),
    "one chosen": ChatRequest(USER, [Tool("f"), WEATHER], NamedTool("weather")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_refused(tekken: Callable[[str], TekkenTokenizer], tiny_tokenizer: BpeTokenizer, name: str) -> None:
    request, problem = BROKEN[name]
    for tokenizer in (tekken("v11-image"), tiny_tokenizer):
        with pytest.raises(MistraletError, match=problem) as caught:
            chat_format(tokenizer, None).encode(request)
        assert type(caught.value) is (PromptError if name == "nobody to list them before" else ToolError)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", FINE)
def test_what_is_taken(tekken: Callable[[str], TekkenTokenizer], tiny_tokenizer: BpeTokenizer, name: str) -> None:
    for tokenizer in (tekken("v11-image"), tiny_tokenizer):
        assert chat_format(tokenizer, None).encode(FINE[name]).ids


def test_the_choice_is_not_in_the_prompt(
    tekken: Callable[[str], TekkenTokenizer], tiny_tokenizer: BpeTokenizer
) -> None:
    # So the prompt of the next turn begins with this one, and what was computed for it is used again.
    request = ChatRequest(USER, [WEATHER])
    for tokenizer in (tekken("v11-image"), tiny_tokenizer):
        template = chat_format(tokenizer, None)
        for other in ("none", "required", NamedTool("weather")):
            changed = replace(request, tool_choice=other, parallel_tool_calls=False)
            assert template.encode(changed) == template.encode(request)
