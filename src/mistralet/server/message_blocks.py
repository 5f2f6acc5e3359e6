"""The blocks that a request to `/v1/messages` consists of, as messages and tools of OpenAI's API."""

from __future__ import annotations

import json
from typing import Any

from mistralet.server.errors import ApiError
from mistralet.server.pdf_files import file_part

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def chat_messages(messages: list[dict[str, Any]], system: str | list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """The conversation; a last message of the assistant is gone on with.

    Raises:
        ApiError: a block is of an unknown kind, or lacks what it must have.
    """
    told: list[dict[str, Any]] = []
    if system:
        told.append({"role": "system", "content": _system(system)})
    for index, message in enumerate(messages):
        place = f"messages[{index}]"
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant"):
            raise ApiError(400, f"{place}.role is neither 'user' nor 'assistant'; give one of them.", place)
        if not isinstance(content, str | list):
            raise ApiError(400, f"{place}.content is neither a text nor a list of blocks; give one of them.", place)
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        told += _of_user(blocks, place) if role == "user" else [_of_assistant(blocks, place)]
    if told and told[-1]["role"] == "assistant":
        told[-1]["prefix"] = True
    return told


def chat_tools(tools: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The tools. Raises `ApiError` for those that the caller does not run itself."""
    if tools is None:
        return None
    told = []
    for index, tool in enumerate(tools):
        kind = tool.get("type")
        if kind not in (None, "custom"):
            raise ApiError(400, f"tools[{index}] is of the type {str(kind)[:50]!r}, which is not here.", "tools")
        function = {
            "name": tool.get("name"),
            "description": tool.get("description"),
            "parameters": tool.get("input_schema"),
            "strict": tool.get("strict"),
        }
        told.append(
            {"type": "function", "function": {key: value for key, value in function.items() if value is not None}}
        )
    return told


def chat_tool_choice(choice: dict[str, Any] | None) -> str | dict[str, Any] | None:
    """The choice among them. Raises `ApiError` if it is of an unknown kind."""
    if choice is None:
        return None
    kind = choice.get("type")
    if kind == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    if not isinstance(kind, str) or kind not in _CHOICES:
        raise ApiError(400, "tool_choice.type is none of auto, any, none and tool; give one.", "tool_choice")
    return _CHOICES[kind]


def _system(system: str | list[dict[str, Any]]) -> str:
    if isinstance(system, str):
        return system
    return "\n\n".join(_text(block, f"system[{index}]") for index, block in enumerate(system))


def _of_user(blocks: list[Any], place: str) -> list[dict[str, Any]]:
    """A message of the user; results of tools in it are messages of their own."""
    results: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for number, block in enumerate(blocks):
        where = f"{place}.content[{number}]"
        match _kind(block):
            case "text":
                parts.append({"type": "text", "text": _text(block, where)})
            case "image":
                parts.append({"type": "image_url", "image_url": {"url": _image_url(block, where)}})
            case "document":
                parts.append(_document(block, where))
            case "tool_result":
                content = block.get("content")
                if isinstance(content, list):
                    content = "\n\n".join(_text(each, f"{where}.content") for each in content)
                results.append({"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": content})
            case kind:
                raise ApiError(
                    400, f"{where} is of the type {kind!r}; send text, images, documents and results.", where
                )
    return results + ([{"role": "user", "content": parts}] if parts or not results else [])


def _of_assistant(blocks: list[Any], place: str) -> dict[str, Any]:
    texts, calls = [], []
    for number, block in enumerate(blocks):
        where = f"{place}.content[{number}]"
        match _kind(block):
            case "text":
                texts.append(_text(block, where))
            case "tool_use":
                function = {"name": block.get("name"), "arguments": json.dumps(block.get("input") or {})}
                calls.append({"id": block.get("id"), "type": "function", "function": function})
            case "thinking" | "redacted_thinking":
                pass  # another model's
            case kind:
                raise ApiError(400, f"{where} is of the type {kind!r}; send text and calls.", where)
    return {"role": "assistant", "content": "".join(texts)} | ({"tool_calls": calls} if calls else {})


def _kind(block: object) -> str:
    return str(block.get("type"))[:50] if isinstance(block, dict) else type(block).__name__


def _text(block: object, where: str) -> str:
    text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
    if not isinstance(text, str):
        raise ApiError(400, f"{where} is no block of text; send one.", where)
    return text


def _document(block: dict[str, Any], where: str) -> dict[str, Any]:
    match block.get("source"):
        case {"type": "base64", "media_type": "application/pdf", "data": str(data)}:
            return file_part(block.get("title"), data)
        case {"type": "text", "data": str(text)}:
            return {"type": "text", "text": text}
    raise ApiError(400, f"{where}.source is neither a PDF file in base64 nor a text; send one.", where)


def _image_url(block: dict[str, Any], where: str) -> str:
    match block.get("source"):
        case {"type": "base64", "media_type": str(media_type), "data": str(data)}:
            return f"data:{media_type};base64,{data}"
        case {"type": "url", "url": str(url)}:
            return url
    raise ApiError(400, f"{where}.source is neither base64 with its media_type nor a url; send one.", where)
