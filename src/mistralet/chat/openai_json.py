"""Messages and tools as the JSON of OpenAI's chat API has them, which most servers and libraries speak, and back.

Reading looks at shapes only: whether a conversation can be answered, and a tool called, is for `check_conversation` and
`check_tools` to say. Keys that are not known are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mistralet.chat.data_url import from_data_url, to_data_url
from mistralet.chat.images import image_parts
from mistralet.chat.json_fields import Fields, as_fields, elements, kind_of
from mistralet.chat.json_values import dump
from mistralet.chat.messages import Message, Part, Role, TextPart, ToolCall
from mistralet.chat.request import NamedTool, Tool, ToolChoice
from mistralet.chat.tools import described
from mistralet.errors import ImageError, PromptError, ToolError

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}

_CHOICES: dict[str, ToolChoice] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # Mistral's name for it
}


def messages_from_json(messages: object, images: Mapping[str, bytes] = {}) -> list[Message]:
    """The messages of a request.

    Args:
        messages: what its key "messages" holds.
        images: the files of pictures that are given as links, by link; nothing is fetched here.

    Raises:
        PromptError: a field is missing or of the wrong kind; the sentence names message and field.
        ImageError: a picture is damaged, too large, or a link that `images` lacks.
    """
    return [_message(fields, images) for fields in elements(messages, "messages", PromptError)]


def messages_to_json(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages as a request holds them, pictures as data: URLs; `messages_from_json` gives them back."""
    return [_message_to_json(message) for message in messages]


def tools_from_json(tools: object) -> list[Tool]:
    """The tools of a request; `tools` is what its key "tools" holds, None if it has none.

    Raises:
        ToolError: a field is missing or of the wrong kind; the sentence names tool and field.
    """
    return [] if tools is None else [_tool(fields) for fields in elements(tools, "tools", ToolError)]


def tools_to_json(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """The tools as a request holds them."""
    written = [described(tool) for tool in tools]
    for tool, facts in zip(tools, written, strict=True):
        if tool.strict:
            facts["function"]["strict"] = True
    return written


def tool_choice_from_json(choice: object) -> ToolChoice:
    """The choice of a request; `choice` is what its key "tool_choice" holds, None if it has none.

    Raises:
        ToolError: it is of an unknown kind.
    """
    if choice is None:
        return "auto"
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise ToolError(f"tool_choice {choice!r} is not known; use auto, none, required or a named function")
        return _CHOICES[choice]
    fields = as_fields(choice, "tool_choice", ToolError)
    _require_function(fields)
    return NamedTool(fields.inner("function").text("name"))


def tool_choice_to_json(choice: ToolChoice) -> str | dict[str, Any]:
    """The choice as a request holds it."""
    return {"type": "function", "function": {"name": choice.name}} if isinstance(choice, NamedTool) else choice


def _message(fields: Fields, images: Mapping[str, bytes]) -> Message:
    role = fields.text("role")
    if role not in _ROLES:
        raise PromptError(f"{fields.place}.role {role!r} is not known; use {', '.join(_ROLES)}")
    call_id = fields.optional_text("tool_call_id")
    calls = [] if fields.get("tool_calls") is None else fields.elements("tool_calls")
    return Message(
        _ROLES[role],
        _content(fields, images),
        tuple(map(_call, calls)),
        tool_call_id=call_id,
        prefix=fields.flag("prefix"),
    )


def _content(fields: Fields, images: Mapping[str, bytes]) -> str | tuple[Part, ...]:
    content = fields.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise PromptError(f"{fields.place}.content is {kind_of(content)}; give a text or a list of parts")
    return tuple(part for element in fields.elements("content") for part in _parts(element, images))


def _parts(fields: Fields, images: Mapping[str, bytes]) -> tuple[Part, ...]:
    """A text, or the pictures of one file."""
    kind = fields.text("type")
    if kind == "text":
        return (TextPart(fields.text("text")),)
    if kind != "image_url":
        raise PromptError(f"{fields.place}.type {kind!r} is not known; use text or image_url")
    link = fields.get("image_url")
    url = link if isinstance(link, str) else fields.inner("image_url").text("url")
    if url not in images and not url[:5].lower() == "data:":
        raise ImageError(
            f"{fields.place}.image_url is a link that was not fetched ({url[:100]!r}); send the picture as a data: URL"
        )
    try:
        return image_parts(images[url] if url in images else from_data_url(url))
    except ImageError as error:
        raise ImageError(f"{fields.place}.image_url: {error}") from error


def _call(fields: Fields) -> ToolCall:
    function = fields.inner("function")
    arguments = function.get("arguments")
    if arguments is None:
        arguments = ""
    elif isinstance(arguments, dict):
        arguments = dump(arguments)
    elif not isinstance(arguments, str):
        raise PromptError(f"{function.place}.arguments is {kind_of(arguments)}; give a JSON object, or the text of one")
    return ToolCall(fields.text("id"), function.text("name"), arguments)


def _message_to_json(message: Message) -> dict[str, Any]:
    fields: dict[str, Any] = {"role": message.role, "content": _content_to_json(message)}
    if message.tool_calls:
        fields["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        fields["tool_call_id"] = message.tool_call_id
    if message.prefix:
        fields["prefix"] = True
    return fields


def _content_to_json(message: Message) -> str | list[dict[str, Any]] | None:
    if isinstance(message.content, str):
        # Some servers refuse an empty text beside calls.
        return message.content or (None if message.tool_calls else "")
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": to_data_url(part.data)}}
        for part in message.content
        if isinstance(part, TextPart) or not part.frame  # the file's other pages come with its first
    ]


def _tool(fields: Fields) -> Tool:
    _require_function(fields)
    function = fields.inner("function")
    tool = Tool(function.text("name"), function.optional_text("description") or "", strict=function.flag("strict"))
    if function.get("parameters") is None:
        return tool
    return replace(tool, parameters=function.inner("parameters").values)


def _require_function(fields: Fields) -> None:
    if (kind := fields.text("type")) != "function":
        raise ToolError(f"{fields.place}.type {kind!r} is not known; only functions can be called")
