"""An MCP server for the files of one folder, made with the SDK: `python mcp_files.py FOLDER [http]`.

Over HTTP it listens on a free port, which it writes to the file `port` of its folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

folder = Path(sys.argv[1])
server = MCPServer("files")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def list_files() -> str:
    """The names of the files."""
    return "\n".join(sorted(path.name for path in folder.iterdir()))


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def read_file(name: str) -> str:
    """The text of a file."""
    return (folder / name).read_text()


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
def write_file(name: str, text: str) -> str:
    """Write a file."""
    (folder / name).write_text(text)
    return f"wrote {len(text)} characters"


@server.tool()
async def wait() -> str:
    """Never end; the process's number is in the file `pid` when it has begun."""
    (folder / "pid.tmp").write_text(str(os.getpid()))
    (folder / "pid.tmp").rename(folder / "pid")
    await anyio.sleep_forever()
    return ""


async def serve_http() -> None:
    import uvicorn

    app = server.streamable_http_app()
    http = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    async with anyio.create_task_group() as group:
        group.start_soon(http.serve)
        while not http.started:
            await anyio.sleep(0.01)
        port = http.servers[0].sockets[0].getsockname()[1]
        (folder / "port.tmp").write_text(str(port))
        (folder / "port.tmp").rename(folder / "port")


if sys.argv[2:] == ["http"]:
    anyio.run(serve_http)
else:
    server.run("stdio")
