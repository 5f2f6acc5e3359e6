from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.chat import ImagePart, Message, NamedTool, Role, TextPart, Tool, ToolCall, ToolChoice
from mistralet.chat.data_url import to_data_url
from mistralet.chat.openai_json import (
    messages_from_json,
    messages_to_json,
    tool_choice_from_json,
    tool_choice_to_json,
    tools_from_json,
    tools_to_json,
)
from mistralet.errors import ImageError, MistraletError, PromptError, ToolError
from support.pictures import as_bytes, noise

TEXT = st.text(max_size=8)
PART = st.one_of(st.builds(TextPart, TEXT), st.builds(ImagePart, st.binary(max_size=8)))
MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(get_args(Role)),
        st.one_of(TEXT, st.lists(PART, max_size=3).map(tuple)),
        st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=2).map(tuple),
        st.none() | TEXT,
        st.booleans(),
    ),
    max_size=4,
)
SCHEMA = st.dictionaries(TEXT, st.recursive(st.none() | st.integers() | TEXT, st.lists, max_leaves=3), max_size=3)
TOOLS = st.lists(st.builds(Tool, TEXT, TEXT, SCHEMA, st.booleans()), max_size=3)
CHOICE = st.one_of(st.sampled_from(["auto", "none", "required"]), st.builds(NamedTool, TEXT))


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


@settings(deadline=None, derandomize=True)
@given(MESSAGES)
def test_messages_there_and_back(messages: list[Message]) -> None:
    assert messages_from_json(through_json(messages_to_json(messages))) == messages


@settings(deadline=None, derandomize=True)
@given(TOOLS, CHOICE)
def test_tools_there_and_back(tools: list[Tool], choice: ToolChoice) -> None:
    assert tools_from_json(through_json(tools_to_json(tools))) == tools
    assert tool_choice_from_json(through_json(tool_choice_to_json(choice))) == choice


def test_what_is_written() -> None:
    call = ToolCall("call_1", "weather", '{"city": "Köln"}')
    messages = [
        Message("system", "Be brief."),
        Message("user", (TextPart("Where?"), ImagePart(b"\x89PNG"), ImagePart(b"?"))),
        Message("assistant", "", (call,)),
        Message("tool", "21 °C", tool_call_id="call_1"),
        Message("assistant", "It is", prefix=True),
    ]
    assert messages_to_json(messages) == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Where?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw=="}},
                {"type": "image_url", "image_url": {"url": "data:application/octet-stream;base64,Pw=="}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Köln"}'},
                }
            ],
        },
        {"role": "tool", "content": "21 °C", "tool_call_id": "call_1"},
        {"role": "assistant", "content": "It is", "prefix": True},
    ]
    assert tools_to_json([Tool("f", "x", {}), Tool("g", strict=True)]) == [
        {"type": "function", "function": {"name": "f", "description": "x", "parameters": {}}},
        {
            "type": "function",
            "function": {
                "name": "g",
                "description": "",
                "parameters": {"type": "object", "properties": {}},
                "strict": True,
            },
        },
    ]


def read(**fields: Any) -> Message:
    (message,) = messages_from_json([{"role": "assistant", "content": None} | fields])
    return message


def test_what_clients_write_in_other_ways() -> None:
    assert read(role="developer", content="x", name="me", foo=[1]) == Message("system", "x")
    assert read(tool_calls=None, tool_call_id=None, prefix=None, refusal=None) == Message("assistant")
    assert messages_from_json(({"role": "user"},)) == [Message("user")]
    call = {"id": "a", "function": {"name": "f", "arguments": {"Ort": "Köln"}}, "index": 0}
    assert read(tool_calls=[call]).tool_calls == (ToolCall("a", "f", '{"Ort": "Köln"}'),)
    call = {"id": "a", "function": {"name": "f"}}
    assert read(tool_calls=[call]).tool_calls == (ToolCall("a", "f", ""),)
    link = {"type": "image_url", "image_url": "DATA:image/png;Base64,AAEC"}
    assert read(role="user", content=[link]).content == (ImagePart(b"\0\1\2"),)
    assert tools_from_json(None) == []
    assert tools_from_json([{"type": "function", "function": {"name": "f", "description": None, "strict": None}}]) == [
        Tool("f")
    ]
    assert tool_choice_from_json(None) == "auto"
    assert tool_choice_from_json("any") == "required"


def test_links_are_looked_up_and_never_fetched() -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "high"}}]
    messages = [{"role": "user", "content": content}]
    assert messages_from_json(messages, {"https://example.com/a.png": b"a"})[0].content == (ImagePart(b"a"),)
    with pytest.raises(ImageError, match=r"messages\[0\]\.content\[0\]\.image_url is a link that was not fetched"):
        messages_from_json(messages, {"https://example.com/b.png": b"b"})


def user(*parts: Any) -> Callable[[], object]:
    return lambda: messages_from_json([{"role": "system"}, {"role": "user", "content": list(parts)}])


def image(url: object) -> Callable[[], object]:
    return user({"type": "text", "text": ""}, {"type": "image_url", "image_url": url})


def called(call: object) -> Callable[[], object]:
    return lambda: read(tool_calls=[{"id": "a", "function": {"name": "f"}}, call])


def tool(**fields: Any) -> Callable[[], object]:
    return lambda: tools_from_json([{"type": "function", "function": {"name": "f"} | fields}])


PART_PLACE, CALL_PLACE = r"messages\[1\]\.content\[0\]", r"messages\[0\]\.tool_calls\[1\]"
IMAGE_PLACE = r"messages\[1\]\.content\[1\]\.image_url"

BROKEN: dict[str, tuple[Callable[[], object], type[MistraletError], str]] = {
    "no list": (lambda: messages_from_json({}), PromptError, "messages is an object; give a list"),
    "no messages": (lambda: messages_from_json(None), PromptError, "messages is missing; give a list"),
    "no object": (lambda: messages_from_json(["Hi"]), PromptError, r"messages\[0\] is a text; give an object"),
    "no role": (lambda: messages_from_json([{"content": "Hi"}]), PromptError, r"messages\[0\]\.role is missing"),
    "a role in a list": (lambda: read(role=["user"]), PromptError, r"messages\[0\]\.role is a list; give a text"),
    "an unknown role": (
        lambda: read(role="function"),
        PromptError,
        r"messages\[0\]\.role 'function' is not known; use",
    ),
    "content": (lambda: read(content=3), PromptError, r"messages\[0\]\.content is a number; give a text or a list"),
    "content in an object": (lambda: read(content={}), PromptError, r"\.content is an object; give a text or a list"),
    "a part": (user("Hi"), PromptError, PART_PLACE + " is a text; give an object"),
    "a part without type": (user({"text": "Hi"}), PromptError, PART_PLACE + r"\.type is missing"),
    "an unknown part": (user({"type": "input_audio"}), PromptError, PART_PLACE + r"\.type 'input_audio' is not known"),
    "a text of a part": (user({"type": "text", "text": 1}), PromptError, PART_PLACE + r"\.text is a number"),
    "no link": (image(None), PromptError, IMAGE_PLACE + " is missing; give an object"),
    "a link in a list": (image([]), PromptError, IMAGE_PLACE + " is a list; give an object"),
    "a link without url": (image({}), PromptError, IMAGE_PLACE + r"\.url is missing"),
    "a file": (image({"url": "file:///etc/passwd"}), ImageError, IMAGE_PLACE + " is a link that was not fetched"),
    "a data URL as text": (image("data:image/png,abc"), ImageError, IMAGE_PLACE + ": the data: URL is not in base64"),
    "broken base64": (image("data:;base64,AA-A"), ImageError, IMAGE_PLACE + ": the base64 of the data: URL is damaged"),
    "base64 cut short": (
        image("data:;base64,AAA"),
        ImageError,
        IMAGE_PLACE + ": the base64 of the data: URL is damaged",
    ),
    "base64 of another alphabet": (image("data:;base64,Größ"), ImageError, ": the base64 of the data: URL is damaged"),
    "calls": (lambda: read(tool_calls="f()"), PromptError, r"messages\[0\]\.tool_calls is a text; give a list"),
    "a call": (called(None), PromptError, CALL_PLACE + " is missing; give an object"),
    "a call without function": (called({"id": "a"}), PromptError, CALL_PLACE + r"\.function is missing"),
    "a call without id": (called({"function": {"name": "f"}}), PromptError, CALL_PLACE + r"\.id is missing"),
    "a call without name": (
        called({"id": "a", "function": {}}),
        PromptError,
        CALL_PLACE + r"\.function\.name is missing",
    ),
    "arguments in a list": (
        called({"id": "a", "function": {"name": "f", "arguments": [1]}}),
        PromptError,
        CALL_PLACE + r"\.function\.arguments is a list; give a JSON object, or the text of one",
    ),
    "the id of a result": (lambda: read(tool_call_id=1), PromptError, r"messages\[0\]\.tool_call_id is a number"),
    "a prefix": (lambda: read(prefix="yes"), PromptError, r"messages\[0\]\.prefix is a text; give true or false"),
    "tools": (lambda: tools_from_json("f"), ToolError, "tools is a text; give a list of objects"),
    "a tool": (lambda: tools_from_json([1]), ToolError, r"tools\[0\] is a number; give an object"),
    "a tool of another type": (
        lambda: tools_from_json([{"type": "web_search"}]),
        ToolError,
        r"tools\[0\]\.type 'web_search' is not known; only functions can be called",
    ),
    "a tool without function": (
        lambda: tools_from_json([{"type": "function"}]),
        ToolError,
        r"tools\[0\]\.function is missing",
    ),
    "the name of a tool": (tool(name=None), ToolError, r"tools\[0\]\.function\.name is missing"),
    "a description": (tool(description=[]), ToolError, r"tools\[0\]\.function\.description is a list"),
    "parameters": (tool(parameters=[]), ToolError, r"tools\[0\]\.function\.parameters is a list; give an object"),
    "strict": (tool(strict=1), ToolError, r"tools\[0\]\.function\.strict is a number; give true or false"),
    "a choice": (lambda: tool_choice_from_json("maybe"), ToolError, "tool_choice 'maybe' is not known; use auto"),
    "a choice in a list": (lambda: tool_choice_from_json([]), ToolError, "tool_choice is a list; give an object"),
    "a choice of another type": (
        lambda: tool_choice_from_json({"type": "allowed_tools"}),
        ToolError,
        r"tool_choice\.type 'allowed_tools' is not known",
    ),
    "a choice without function": (
        lambda: tool_choice_from_json({"type": "function", "name": "f"}),
        ToolError,
        r"tool_choice\.function is missing",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_errors_name_the_field(name: str) -> None:
    attempt, error, problem = BROKEN[name]
    with pytest.raises(error, match=problem) as caught:
        attempt()
    assert "\n" not in str(caught.value)


def test_a_picture_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mistralet.chat.data_url.MAX_BYTES", 3 << 20)
    fits, too_large = (
        messages_to_json([Message("user", (ImagePart(bytes(size)),))]) for size in (3 << 20, (3 << 20) + 4)
    )
    assert len(messages_from_json(fits)[0].content) == 1
    with pytest.raises(ImageError, match=r"\.image_url: the picture in the data: URL is larger than 3 MB; shrink it"):
        messages_from_json(too_large)


def test_each_page_of_a_tiff_is_a_picture_and_comes_back_as_one_file() -> None:
    file = as_bytes(noise(4, 4), "TIFF", save_all=True, append_images=[noise(5, 5)])
    content = [{"type": "image_url", "image_url": {"url": to_data_url(file)}}, {"type": "text", "text": "?"}]
    (message,) = messages_from_json([{"role": "user", "content": content}])
    assert message.content == (ImagePart(file), ImagePart(file, frame=1), TextPart("?"))
    assert messages_to_json([message])[0]["content"] == content
