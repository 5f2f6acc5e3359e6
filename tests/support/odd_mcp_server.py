"""An MCP server that misbehaves: `python odd_mcp_server.py HOW`. It is small, as it is started often."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

how = sys.argv[1]
tools = [{"name": "echo", "description": "d" * 5000, "inputSchema": {"type": "object"}}]
calls: list[int] = []


def send(**message: object) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def page(cursor: str | None) -> dict[str, object]:
    if how == "many tools":
        return {"tools": [tools[0] | {"name": f"tool{number}"} for number in range(500)]}
    if how == "odd names":
        return {"tools": [tools[0] | {"name": name} for name in ("größe/breite", "gro_e_breite", "größe breite", "")]}
    if how == "pages":
        number = int(cursor or 0)
        last = {"nextCursor": str(number + 1)} if number < 3 else {}
        return {"tools": [tools[0] | {"name": f"tool{number}"}], **last}
    if how == "endless pages":
        return {"tools": tools, "nextCursor": "again"}
    return {"tools": tools}


def call(request: int, arguments: dict[str, object]) -> None:
    calls.append(request)
    if how == "large answer":
        send(id=request, result={"content": [{"type": "text", "text": "x" * 10_000_000}]})
    elif how == "large line":
        sys.stdout.write("x" * (17 << 20))
        sys.stdout.flush()
    elif how == "no result":
        send(id=request, result={"content": "not a list"})
    elif how == "error":
        send(id=request, error={"code": -32000, "message": "the printer is on fire"})
    elif how == "all kinds":
        content = [
            {"type": "text", "text": "first"},
            {"type": "image", "data": "A" * 45_000, "mimeType": "image/png"},
            {"type": "audio", "data": "AAA=", "mimeType": "audio/wav"},
            {"type": "resource", "resource": {"uri": "file:///a", "text": "of a file"}},
            {"type": "resource", "resource": {"uri": "file:///b", "blob": "AAAA"}},
            {"type": "resource_link", "uri": "file:///c", "name": "c"},
        ]
        send(id=request, result={"content": content})
    elif how == "structured":
        send(id=request, result={"content": [], "structuredContent": {"größe": 3}})
    elif how == "failed":
        send(id=request, result={"content": [{"type": "text", "text": "no such file"}], "isError": True})
    elif how == "changes":
        tools[0]["name"] = "other"
        send(method="notifications/tools/list_changed")
        send(id=request, result={"content": [{"type": "text", "text": f"call {len(calls)}"}]})
    elif how == "dies":
        print("cannot go on", file=sys.stderr, flush=True)
        sys.exit(3)
    elif how == "dies and leaves a child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])  # holds this one's pipes
        Path(sys.argv[2]).write_text(str(child.pid))
        os.kill(os.getpid(), 9)
    elif how == "will not end":
        Path(sys.argv[2]).write_text(str(os.getpid()))
        send(id=request, result={"content": [{"type": "text", "text": "begun"}]})
        time.sleep(60)
    else:
        send(id=request, result={"content": [{"type": "text", "text": json.dumps(arguments, ensure_ascii=False)}]})


if how == "closes":
    sys.exit("no configuration found")
if how == "garbage":
    print("hello there\n" * 1001, flush=True)
if how == "some garbage":
    print("starting up ...\n{}\n[1]", flush=True)
if how == "tells its number":
    Path(sys.argv[2]).write_text(str(os.getpid()))
if how == "will not end":
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    message = json.loads(line)
    match message.get("method"):
        case _ if how in ("silent", "garbage"):
            pass
        case "initialize":
            info = {"name": "odd", "version": "1"}
            version = message["params"]["protocolVersion"]
            send(
                id=message["id"], result={"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
            )
        case "tools/list":
            send(id=message["id"], result=page((message.get("params") or {}).get("cursor")))
        case "tools/call":
            call(message["id"], message["params"].get("arguments", {}))
        case _ if "id" in message:
            send(id=message["id"], error={"code": -32601, "message": "Method not found"})
