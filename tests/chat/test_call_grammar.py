"""What an answer is held to where there are tools, in every template."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mistralet.chat import ChatFormat, ChatRequest, Message, NamedTool, Tool
from mistralet.engine.constraint import ConstraintCompiler
from mistralet.errors import ConstraintError, ToolError
from mistralet.tokenizer import Tokenizer
from support.answers import TEMPLATES, written

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = [Tool("get", parameters=CITY), Tool("get_x")]
AUTO = ChatRequest([Message("user", "Go.")], TOOLS)

# Two calls, of which either may be the only one.
CALLS = {
    "v7": ('{"name": "get", "arguments": {"city": "Rôme"}, "id": "abcdefghi"}', '{"name": "get_x", "arguments": {}}'),
    "v11-image": ('[TOOL_CALLS]get[CALL_ID]abcdefghi[ARGS]{"city": "Rôme"}', "[TOOL_CALLS]get_x[ARGS]{}"),
    "v13": ('[TOOL_CALLS]get[ARGS]{"city": "Rôme"}', "[TOOL_CALLS]get_x[ARGS]{}"),
    "chatml": (
        '\n<tool_call>\n{"name": "get", "arguments": {"city": "Rôme"}}\n</tool_call>',
        '\n<tool_call>\n{"name": "get_x", "arguments": {}}\n</tool_call>',
    ),
}


def calls(template: str, *places: int) -> str:
    chosen = [CALLS[template][place] for place in places]
    return f"[TOOL_CALLS][{', '.join(chosen)}]" if template == "v7" else "".join(chosen)


Held = Callable[[str, ChatRequest, str], str]


@pytest.fixture
def held(
    chat_of: Callable[[str], ChatFormat],
    tokenizer_of: Callable[[str], Tokenizer],
    compiler_of: Callable[[str], ConstraintCompiler],
) -> Held:
    """Whether an answer is "whole", "last" (whole, and nothing may follow), "begun", or "refused"."""

    def check(template: str, request: ChatRequest, answer: str) -> str:
        constraint = chat_of(template).constraint(request)
        assert constraint is not None
        matcher = compiler_of(template).compile(constraint)
        ids = written(tokenizer_of(template), answer)
        if matcher.allowed_prefix(ids) < len(ids):
            return "refused"
        for token in ids:
            matcher.accept(token)
        if not matcher.is_complete:
            return "begun"
        return "last" if matcher.is_finished else "whole"

    return check


@pytest.mark.parametrize("template", TEMPLATES)
def test_auto_lets_the_model_talk_and_call(template: str, held: Held) -> None:
    assert held(template, AUTO, 'Any text: {"name": "get"} \n\n "</tool_call>') == "whole"
    assert held(template, AUTO, "") == "whole"
    for answer in (
        calls(template, 0),
        calls(template, 1),
        calls(template, 0, 1),
        "Let me see." + calls(template, 1, 0),
    ):
        assert held(template, AUTO, answer) in ("whole", "last")
        for strange in (" And so on.", "\n\n", "}"):
            assert held(template, AUTO, answer + strange) == "refused"


@pytest.mark.parametrize("template", TEMPLATES)
def test_none_lets_the_model_talk_only(template: str, held: Held) -> None:
    request = replace(AUTO, tool_choice="none")
    assert held(template, request, "Any text.") == "whole"
    assert held(template, request, calls(template, 1)) == "refused"
    assert held(template, request, "Let me see." + calls(template, 1)) == "refused"


@pytest.mark.parametrize("template", TEMPLATES)
def test_required_makes_it_call_at_once(template: str, held: Held) -> None:
    request = replace(AUTO, tool_choice="required")
    assert held(template, request, "") == "begun"
    assert held(template, request, "L") == "refused"
    assert held(template, request, calls(template, 0, 1, 1)) in ("whole", "last")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_named_tool_is_the_only_one(template: str, held: Held) -> None:
    request = replace(AUTO, tool_choice=NamedTool("get_x"))
    assert held(template, request, calls(template, 1)) in ("whole", "last")
    assert held(template, request, calls(template, 0)) == "refused"
    assert held(template, request, "L") == "refused"


@pytest.mark.parametrize("template", TEMPLATES)
def test_without_parallel_calls_there_is_one(template: str, held: Held) -> None:
    request = replace(AUTO, parallel_tool_calls=False)
    assert held(template, request, "Hm." + calls(template, 0)) == "last"
    assert held(template, request, calls(template, 0, 1)) == "refused"


@pytest.mark.parametrize("template", TEMPLATES)
def test_names_and_arguments_are_those_of_tools(template: str, held: Held) -> None:
    right = calls(template, 0)
    for old, new in (("get", "got"), ("get", "get_"), ("get", "get_x"), ('"city"', '"town"'), ('"Rôme"', "1")):
        assert held(template, AUTO, right.replace(old, new)) == "refused"
    assert held(template, AUTO, right.replace('"Rôme"', '"Rôme", "x": 1')) == "refused"
    assert held(template, AUTO, right.replace('{"city": "Rôme"}', '{"city":"Rôme"}')) in ("whole", "last")
    assert held(template, AUTO, right.replace('{"city"', '{   "city"')) == "refused"


@pytest.mark.parametrize("template", TEMPLATES)
def test_text_beside_tools_fits_the_schema_of_the_answer(template: str, held: Held) -> None:
    request = replace(AUTO, answer_schema=CITY)
    for choice in ("auto", "none"):
        assert held(template, replace(request, tool_choice=choice), '{"city": "<tool_call>"}') in ("whole", "last")
        assert held(template, replace(request, tool_choice=choice), "Rome") == "refused"
    assert held(template, request, calls(template, 0)) in ("whole", "last")
    assert held(template, replace(request, tool_choice="none"), calls(template, 0)) == "refused"
    assert held(template, replace(request, tool_choice="required"), '{"city": "Rome"}') == "refused"
    assert held(template, replace(request, tools=()), '{"city": "Rome"}') == "last"


def test_a_begun_answer_goes_on_with_text_or_calls(held: Held) -> None:
    request = replace(AUTO, messages=[Message("user", "Go."), Message("assistant", "Let me", prefix=True)])
    for template in TEMPLATES:
        for answer in (" see.", " see." + calls(template, 0), calls(template, 0)):
            assert held(template, request, answer) in ("whole", "last")


def test_a_begun_answer_has_no_schema(chat_of: Callable[[str], ChatFormat]) -> None:
    begun = [Message("user", "Go."), Message("assistant", '{"city"', prefix=True)]
    with pytest.raises(ConstraintError, match="leave out the schema, or the prefix"):
        chat_of("v7").constraint(ChatRequest(begun, answer_schema=CITY))


def test_without_tools_and_schema_the_answer_is_free(chat_of: Callable[[str], ChatFormat]) -> None:
    for template in TEMPLATES:
        assert chat_of(template).constraint(ChatRequest(AUTO.messages)) is None


@pytest.mark.parametrize("template", TEMPLATES)
def test_definitions_are_those_of_each_tool(template: str, held: Held) -> None:
    def tool(name: str, kind: str) -> Tool:
        tree = {"type": "object", "properties": {"v": {"type": kind}, "next": {"$ref": "#/$defs/t"}}, "required": ["v"]}
        tree["additionalProperties"] = False
        return Tool(name, parameters={"$defs": {"t": tree}, "properties": {"city": {"$ref": "#/$defs/t"}}})

    request = replace(AUTO, tools=[tool("get", "integer"), tool("get_x", "string")])
    right = calls(template, 0)
    assert held(template, request, right.replace('"Rôme"', '{"v": 1, "next": {"v": 2}}')) in ("whole", "last")
    assert held(template, request, right.replace('"Rôme"', '{"v": "a"}')) == "refused"
    other = calls(template, 1).replace("{}", '{"city": {"v": "a", "next": {"v": "b"}}}')
    assert held(template, request, other) in ("whole", "last")


def with_schema(schema: dict[str, Any], strict: bool = False) -> ChatRequest:
    return ChatRequest(AUTO.messages, [Tool("now"), Tool("get", parameters=schema, strict=strict)])


def arguments(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TREE = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (arguments(a={"$ref": "https://example.com/s.json"}), "refers to 'https://example.com/s.json'"),
        (arguments(a={"$ref": "#/$defs/none"}), "refers to '#/\\$defs/none', which it lacks"),
        (TREE, "without end"),
        (arguments(a={"enum": []}) | {"required": ["a"]}, "fits nothing"),
        (arguments(a={"minimum": 3, "maximum": 2, "type": "integer"}) | {"required": ["a"]}, "fits nothing"),
    ],
)
@pytest.mark.parametrize("strict", [False, True])
def test_a_schema_that_cannot_be_held_to_is_refused(
    schema: dict[str, Any], told: str, strict: bool, chat_of: Callable[[str], ChatFormat]
) -> None:
    with pytest.raises(ToolError, match=rf"tools\[1\] 'get'.*{told}"):
        chat_of("v7").constraint(with_schema(schema, strict))


@pytest.mark.parametrize(
    ("part", "keyword"),
    [
        ({"not": {"const": 1}}, '"not"'),
        ({"if": {"const": 1}, "then": {"type": "integer"}}, '"if"'),
        ({"type": "array", "uniqueItems": True}, '"uniqueItems"'),
        ({"type": "string", "format": "phone"}, "'phone'"),
        ({"type": "string", "pattern": "^(?=a)"}, "looks ahead"),
        ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, "'oneOf'"),
    ],
)
def test_only_a_strict_tool_insists_on_what_cannot_be_held_to(
    part: dict[str, Any], keyword: str, chat_of: Callable[[str], ChatFormat]
) -> None:
    schema = arguments(a=part)
    with pytest.raises(ToolError, match=rf"tools\[1\] 'get'.*{keyword}.*strict false"):
        chat_of("v7").constraint(with_schema(schema, strict=True))
    assert chat_of("v7").constraint(with_schema(schema)) is not None


@pytest.mark.parametrize(
    ("tool", "told"),
    [
        (Tool("wetter_für"), "is no name of a tool"),
        (Tool("天気"), "is no name of a tool"),
        (Tool("a b"), "is no name of a tool"),
        (Tool("get", parameters=json.loads('{"a":' * 500 + "1" + "}" * 500)), "nested"),
        (Tool("get", parameters={"type": "array"}), "arguments are an object"),
    ],
)
def test_what_no_template_can_list_is_refused_before(
    tool: Tool, told: str, chat_of: Callable[[str], ChatFormat]
) -> None:
    with pytest.raises(ToolError, match=told):
        chat_of("v7").encode(ChatRequest(AUTO.messages, [tool]))


def test_a_huge_enum_is_held_to_or_refused_by_name(held: Held, chat_of: Callable[[str], ChatFormat]) -> None:
    some = with_schema(arguments(city={"enum": [f"town {number}" for number in range(2000)]}))
    assert held("chatml", some, calls("chatml", 0).replace("Rôme", "town 1999")) == "whole"
    assert held("chatml", some, calls("chatml", 0).replace("Rôme", "town 2000")) == "refused"
    with pytest.raises(ConstraintError, match=r"grammar for calls of now, get has more than"):
        chat_of("chatml").constraint(with_schema(arguments(city={"enum": [f"town {n}" for n in range(100_000)]})))


def test_many_tools_make_one_grammar(held: Held) -> None:
    request = replace(AUTO, tools=[Tool(f"tool_{number}", parameters=CITY) for number in range(128)])
    assert held("v13", request, '[TOOL_CALLS]tool_127[ARGS]{"city": "Rome"}[TOOL_CALLS]tool_1') == "begun"
    assert held("v13", request, "[TOOL_CALLS]tool_128") == "refused"
