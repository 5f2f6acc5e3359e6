"""The items that a request to `/v1/responses` consists of, as messages and tools of the older API."""

from __future__ import annotations

from typing import Any

from mistralet.server.errors import ApiError
from mistralet.server.pdf_files import file_part

_TEXTS = ("input_text", "output_text", "text", "refusal")


def chat_messages(given: str | list[dict[str, Any]], instructions: str | None) -> list[dict[str, Any]]:
    """The conversation. Raises `ApiError` for an item of an unknown kind."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    if isinstance(given, str):
        return [*messages, {"role": "user", "content": given}]
    for index, item in enumerate(given):
        _add(messages, item, f"input[{index}]")
    return messages


def chat_tools(tools: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The tools. Raises `ApiError` for those that are no functions."""
    if tools is None:
        return None
    for index, tool in enumerate(tools):
        if tool.get("type") != "function":
            shown = str(tool.get("type"))[:50]
            raise ApiError(400, f"tools[{index}] is of the type {shown!r}; only functions can be called.", "tools")
    names = ("name", "description", "parameters", "strict")
    return [
        {"type": "function", "function": {name: tool[name] for name in names if tool.get(name) is not None}}
        for tool in tools
    ]


def chat_tool_choice(choice: str | dict[str, Any] | None) -> str | dict[str, Any] | None:
    """The choice among them."""
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return choice


def _add(messages: list[dict[str, Any]], item: dict[str, Any], place: str) -> None:
    match item.get("type", "message"):
        case "message":
            messages.append({"role": item.get("role"), "content": _content(item.get("content"), place)})
        case "function_call":
            function = {"name": item.get("name"), "arguments": item.get("arguments")}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            # The text and the calls of one turn are one message.
            if messages and messages[-1]["role"] == "assistant":
                messages[-1].setdefault("tool_calls", []).append(call)
            else:
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        case "function_call_output":
            content = _content(item.get("output"), place)
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
        case "reasoning":
            pass  # another model's; this one has none
        case other:
            raise ApiError(400, f"{place} is of the unknown type {str(other)[:50]!r}; send messages and calls.", place)


def _content(content: Any, place: str) -> Any:
    if not isinstance(content, list):
        return content
    return [_part(part, f"{place}.content[{number}]") for number, part in enumerate(content)]


def _part(part: Any, place: str) -> Any:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in _TEXTS:
        return {"type": "text", "text": part.get("text", part.get("refusal"))}
    if kind == "input_image" and part.get("image_url"):
        return {"type": "image_url", "image_url": part["image_url"]}
    if kind == "input_file" and part.get("file_data"):
        return file_part(part.get("filename"), part["file_data"])
    raise ApiError(
        400,
        f"{place} is neither text, nor an image with its image_url, nor a file with its file_data; send one.",
        place,
    )
