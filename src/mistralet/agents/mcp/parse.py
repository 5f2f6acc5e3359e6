"""MCP servers as people write them down: a URL, a command line, or a file in the form that MCP clients share."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mistralet.errors import UsageError

_KEYS_OF_A_COMMAND = {"command": str, "args": list, "env": dict, "cwd": str}
_KEYS_OF_A_URL = {"url": str, "headers": dict}
_OPTIONS = {"prefix": str, "tools": list, "trusted": bool}


@dataclass(frozen=True)
class WrittenServer:
    """A server as it is written down: what `McpServer.stdio`, if it is a command, or `McpServer.http` takes."""

    is_command: bool
    arguments: dict[str, Any]


def parse_servers(text: str) -> list[WrittenServer]:
    """See `McpServer.parse`."""
    text = text.strip()
    if text.startswith(("http://", "https://")):
        return [WrittenServer(False, {"url": text})]
    if text.endswith(".json"):
        return _servers_of_file(Path(text).expanduser())
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"The command line of the MCP server '{text}' cannot be read: {error}.") from error
    if not words:
        raise UsageError("An MCP server is given as an empty text; give a command line, a URL or a JSON file.")
    return [WrittenServer(True, {"command": words[0], "args": words[1:]})]


def _servers_of_file(path: Path) -> list[WrittenServer]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The file of MCP servers {path} cannot be read: {error}.") from error
    entries = content.get("mcpServers") if isinstance(content, dict) else None
    if not isinstance(entries, dict) or not entries:
        raise UsageError(f'The file {path} names no MCP servers; it must hold {{"mcpServers": {{NAME: {{...}}}}}}.')
    return [_server(name, entry, path) for name, entry in entries.items() if not _is_disabled(entry)]


def _is_disabled(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("disabled") is True


def _server(name: str, entry: Any, path: Path) -> WrittenServer:
    where = f"The MCP server '{name}' in {path}"
    if not isinstance(entry, dict) or ("command" in entry) == ("url" in entry):
        raise UsageError(f"{where} must have either a 'command' or a 'url'.")
    if entry.get("type") == "sse":
        raise UsageError(f"{where} has the type 'sse', which MCP has given up; use its streamable HTTP URL.")
    own_keys = _KEYS_OF_A_COMMAND if "command" in entry else _KEYS_OF_A_URL
    given = {key: entry[key] for key in (own_keys | _OPTIONS) if key in entry}
    for key, value in given.items():
        kind = (own_keys | _OPTIONS)[key]
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if not isinstance(value, kind) or not all(isinstance(item, str) for item in items):
            raise UsageError(f"{where} has a wrong '{key}': {json.dumps(value)}.")
    return WrittenServer("command" in entry, {"name": name, **given})
