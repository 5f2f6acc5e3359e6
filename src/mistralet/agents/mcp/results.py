"""What an MCP tool gives, as text for the model."""

from __future__ import annotations

import json
from collections.abc import Iterator

import mcp_types as mcp

from mistralet.agents.foreign import not_shown
from mistralet.chat.data_url import decoded_size
from mistralet.errors import ToolError


def text_of(result: mcp.CallToolResult) -> str:
    """The texts of a result; what is no text is named with its size. Without any, its structured content as JSON.

    Raises:
        ToolError: the tool says that it failed; with what it says.
    """
    text = "\n".join(_texts(result.content))
    if result.is_error:
        raise ToolError(text or "the tool failed without saying why")
    if not text and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return text or "The tool ended and gave no value."


def _texts(content: list[mcp.ContentBlock]) -> Iterator[str]:
    for part in content:
        match part:
            case mcp.TextContent(text=text):
                yield text
            case mcp.ImageContent(data=data):
                yield not_shown("image", decoded_size(data))
            case mcp.AudioContent(data=data):
                yield not_shown("audio", decoded_size(data))
            case mcp.ResourceLink(name=name, uri=uri, description=description):
                yield f"[resource {name}: {uri}]" + (f" {description}" if description else "")
            case mcp.EmbeddedResource(resource=mcp.TextResourceContents(text=text)):
                yield text
            case mcp.EmbeddedResource(resource=mcp.BlobResourceContents(uri=uri, blob=blob)):
                yield not_shown(f"resource {uri}", decoded_size(blob))
