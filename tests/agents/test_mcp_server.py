"""The tools of MCP servers: real ones, and ones that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mistralet.agents import AgentTool
from mistralet.agents.mcp import McpServer
from mistralet.errors import ToolError, UsageError

SUPPORT = Path(__file__).parent.parent / "support"


def odd(how: str, *args: str, **options: Any) -> McpServer:
    return McpServer.stdio(
        sys.executable, ["-S", str(SUPPORT / "odd_mcp_server.py"), how, *args], name="odd", **options
    )


def with_tools(server: McpServer, use: Callable[[dict[str, AgentTool]], Awaitable[Any]]) -> Any:
    """What comes of using a server's tools, by name."""

    async def run() -> Any:
        async with server as tools:
            return await use({tool.name: tool for tool in tools})

    return asyncio.run(run())


def call(server: McpServer, **arguments: Any) -> Any:
    """The result of the one tool that an odd server has."""
    return with_tools(server, lambda tools: tools["echo"].run(arguments))


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0.005)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # What nobody has waited for is no zombie of this process: its parent is gone.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_files_through_a_real_server_that_is_killed_in_a_call(tmp_path: Path) -> None:
    server = McpServer.stdio(sys.executable, [str(SUPPORT / "mcp_files.py"), str(tmp_path)], name="files")

    async def use(tools: dict[str, AgentTool]) -> int:
        assert {name: tool.needs_consent for name, tool in tools.items()} == {
            "list_files": False,
            "read_file": False,
            "write_file": True,
            "wait": True,
        }
        assert tools["read_file"].tool.description == "The text of a file."
        assert tools["read_file"].tool.parameters["required"] == ["name"]
        assert await tools["write_file"].run({"name": "note", "text": "Grüße"}) == "wrote 5 characters"
        assert await asyncio.gather(*(tools["read_file"].run({"name": "note"}) for _ in range(8))) == ["Grüße"] * 8
        with pytest.raises(ToolError, match=r"No such file|Error executing tool"):
            await tools["read_file"].run({"name": "nothing"})

        waiting = asyncio.create_task(tools["wait"].run({}))
        await until((tmp_path / "pid").exists)
        first = int((tmp_path / "pid").read_text())
        os.kill(first, signal.SIGKILL)
        with pytest.raises(ToolError, match=r"'files' ended during the call.*: its process was ended by signal 9"):
            await waiting

        (tmp_path / "pid").unlink()
        assert await tools["list_files"].run({}) == "note"  # by a server that was started anew
        return first

    assert not is_running(with_tools(server, use))


def test_the_same_over_http(tmp_path: Path) -> None:
    async def use() -> None:
        command = (sys.executable, str(SUPPORT / "mcp_files.py"), str(tmp_path), "http")
        process = await asyncio.create_subprocess_exec(*command)
        try:
            await until((tmp_path / "port").exists)
            url = f"http://127.0.0.1:{(tmp_path / 'port').read_text()}/mcp"
            async with McpServer.http(url, name="files", trusted=True) as opened:
                tools = {tool.name: tool for tool in opened}
                assert not any(tool.needs_consent for tool in opened)
                assert await tools["write_file"].run({"name": "note", "text": "Grüße"}) == "wrote 5 characters"
                assert await tools["read_file"].run({"name": "note"}) == "Grüße"
                waiting = asyncio.create_task(tools["wait"].run({}))
                await until((tmp_path / "pid").exists)
                process.kill()
                with pytest.raises(ToolError, match=r"'files' ended during the call"):
                    await waiting
                with pytest.raises(ToolError, match="'files' cannot be used: All connection attempts failed"):
                    await tools["list_files"].run({})
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    asyncio.run(use())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("closes", "its process ended with exit code 1; it last wrote: no configuration found$"),
        ("garbage", "it wrote more than 1000 lines that are no MCP messages"),
        ("silent", "it was not ready within 0.3 seconds$"),
        ("many tools", r"offers 500 tools, .* 128 at most; choose some with tools=\[...\].$"),
    ],
)
def test_a_server_that_cannot_be_used(how: str, message: str) -> None:
    with pytest.raises(ToolError, match=f"^The MCP server 'odd' .*{message}"):
        call(odd(how, start_seconds=0.3 if how == "silent" else 20))


def test_a_command_that_is_not_there() -> None:
    with pytest.raises(ToolError, match=r"The MCP server 'no-such-program' cannot be used: .*No such file"):
        call(McpServer.stdio("no-such-program"))


@pytest.mark.parametrize(
    ("how", "result"),
    [
        ("some garbage", '{"größe": "x"}'),
        ("structured", '{"größe": 3}'),
        (
            "all kinds",
            "first\n[image, 34 kB, not shown]\n[audio, 2 bytes, not shown]\nof a file\n"
            "[resource file:///b, 3 bytes, not shown]\n[resource c: file:///c]",
        ),
        ("large answer", "x" * 10_000_000),
    ],
)
def test_results(how: str, result: str) -> None:
    assert call(odd(how), größe="x") == result


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("failed", "^no such file$"),
        ("error", "^The MCP server 'odd' refused the call: the printer is on fire$"),
        ("no result", "gave no valid result: .*content.*valid list"),
        ("dies", "ended during the call.*: its process ended with exit code 3; it last wrote: cannot go on$"),
        ("large line", "it wrote a message of more than 16 MiB"),
    ],
)
def test_calls_that_fail(how: str, message: str) -> None:
    with pytest.raises(ToolError, match=message):
        call(odd(how))


def test_arguments_that_cannot_be_sent() -> None:
    with pytest.raises(ToolError, match="surrogate"):
        call(odd("echo"), text="\ud800")


def test_a_server_is_started_again_three_times() -> None:
    async def use(tools: dict[str, AgentTool]) -> list[str]:
        return [str(await asyncio.gather(tools["echo"].run({}), return_exceptions=True)) for _ in range(5)]

    *ended, last = with_tools(odd("dies"), use)
    assert all("ended during the call" in text for text in ended)
    assert "ended 4 times and is not started again" in last


def test_a_server_that_ended_between_calls_is_started_again_unnoticed(tmp_path: Path) -> None:
    async def use(tools: dict[str, AgentTool]) -> object:
        await tools["echo"].run({})
        pid = int((tmp_path / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not is_running(pid))
        await asyncio.sleep(0.05)
        return await tools["echo"].run({})

    assert with_tools(odd("tells its number", str(tmp_path / "pid")), use) == "{}"


def test_what_a_dead_server_left_is_ended_and_does_not_delay_the_call(tmp_path: Path) -> None:
    async def use(tools: dict[str, AgentTool]) -> None:
        with pytest.raises(ToolError, match="ended by signal 9"):
            await tools["echo"].run({})
        await until(lambda: not is_running(int((tmp_path / "child").read_text())))

    with_tools(odd("dies and leaves a child", str(tmp_path / "child")), use)


def test_another_server_does_not_notice() -> None:
    async def run() -> None:
        async with odd("dies") as dying, odd("echo") as living:
            results = await asyncio.gather(dying[0].run({}), living[0].run({"a": 1}), return_exceptions=True)
            assert isinstance(results[0], ToolError)
            assert results[1] == '{"a": 1}'
            assert await living[0].run({}) == "{}"

    asyncio.run(run())


def test_tools_that_change_meanwhile() -> None:
    async def use(tools: dict[str, AgentTool]) -> list[object]:
        return [await tools["echo"].run({}) for _ in range(2)]

    assert with_tools(odd("changes"), use) == ["call 1", "call 2"]


def test_a_cancelled_run_leaves_no_process_and_no_file_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mistralet.agents.mcp.process._GRACE", 0.2)

    async def work() -> None:
        async with odd("will not end", str(tmp_path / "pid")) as tools:
            await tools[0].run({})
            await tools[0].run({})  # never answered

    async def run() -> None:
        task = asyncio.create_task(work())
        await until((tmp_path / "pid").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    asyncio.run(run())
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_cancelled_while_it_starts() -> None:
    async def run() -> None:
        task = asyncio.create_task(odd("silent").__aenter__())
        await asyncio.sleep(0.2)
        task.cancel()
        started = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 10

    asyncio.run(run())


def test_two_runs_have_a_server_each() -> None:
    async def run(server: McpServer) -> list[object]:
        async with server as tools:
            await asyncio.sleep(0.05)
            return [await tools[0].run({}) for _ in range(2)]

    async def both() -> Sequence[object]:
        server = odd("changes")
        return await asyncio.gather(run(server), run(server))

    assert asyncio.run(both()) == [["call 1", "call 2"]] * 2


def test_a_tool_used_after_its_run() -> None:
    async def run() -> object:
        async with odd("echo") as tools:
            pass
        return await tools[0].run({})

    with pytest.raises(ToolError, match="'odd' is closed"):
        asyncio.run(run())


def test_all_pages_are_read() -> None:
    async def use(tools: dict[str, AgentTool]) -> list[str]:
        return list(tools)

    assert with_tools(odd("pages"), use) == ["tool0", "tool1", "tool2", "tool3"]
    assert with_tools(odd("endless pages"), use) == ["echo"]
    assert with_tools(odd("pages", tools=["tool2"], prefix="a_"), use) == ["a_tool2"]
    with pytest.raises(ToolError, match="'odd' does not offer 'tool9'; it offers tool"):
        with_tools(odd("pages", tools=["tool9"]), use)


def test_names_a_model_cannot_call() -> None:
    async def use(tools: dict[str, AgentTool]) -> list[str]:
        assert all(len(tool.tool.description) == 2000 for tool in tools.values())
        return list(tools)

    assert with_tools(odd("odd names"), use) == ["groe_breite", "gro_e_breite", "groe_breite_2", "tool"]


@asynccontextmanager
async def answering(answer: bytes) -> Any:
    """A server that gives one answer to everything."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "HTTP 401 Unauthorized"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi", "Unexpected content type"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx",
            "it compressed its answer",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b" " * (17 << 20),
            "more than 16 MiB",
        ),
        (
            b"HTTP/1.1 307 Moved\r\nLocation: http://other.example/\r\nContent-Length: 0\r\n\r\n",
            "other.example",
        ),
        (b"what?\r\n\r\n", "cannot be used"),
    ],
    ids=["refused", "html", "compressed", "large", "redirect", "no http"],
)
def test_http_servers_that_cannot_be_used(answer: bytes, message: str) -> None:
    async def run() -> None:
        async with answering(answer) as url, McpServer.http(url, start_seconds=5):
            pass

    with pytest.raises(ToolError, match=f"The MCP server '127.0.0.1' cannot be used.*{message}|{message}"):
        asyncio.run(run())


class Forgetful:
    """A server over HTTP that forgets its session at the first call, as one does that is started anew."""

    def __init__(self) -> None:
        self.sessions = 0
        self.posted: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next((int(line[15:]) for line in head.splitlines() if line.startswith("content-length:")), 0)
        message = json.loads(await reader.readexactly(length) or "{}")
        status, result = self.answer(message)
        body = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode() if result else b""
        writer.write(
            f"HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Mcp-Session-Id: s{self.sessions}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()

    def answer(self, message: dict[str, Any]) -> tuple[int, Any]:
        method = message.get("method", "none")
        self.posted.append(method)
        if method == "initialize":
            self.sessions += 1
            version = message["params"]["protocolVersion"]
            info = {"name": "forgetful", "version": "1"}
            return 200, {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        if method == "tools/list":
            return 200, {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]}
        if method == "tools/call":
            done = {"content": [{"type": "text", "text": f"session {self.sessions}"}]}
            return (200, done) if self.sessions > 1 else (404, None)
        return (202, None) if method.startswith("notifications/") else (405, None)


def test_a_session_that_the_server_forgot() -> None:
    async def run() -> None:
        forgetful = Forgetful()
        async with await asyncio.start_server(forgetful.serve, "127.0.0.1", 0) as listening:
            port = listening.sockets[0].getsockname()[1]
            async with McpServer.http(f"http://127.0.0.1:{port}/mcp") as tools:
                with pytest.raises(ToolError, match=r"ended during the call.*: HTTP 404"):
                    await tools[0].run({})
                assert await tools[0].run({}) == "session 2"
        assert forgetful.posted.count("tools/call") == 2

    asyncio.run(run())


def test_parse_a_command_line_and_a_url() -> None:
    (command,) = McpServer.parse("npx -y '@org/server files' /tmp")
    (url,) = McpServer.parse(" https://example.com/mcp ")
    assert (command.name, url.name) == ("npx @org/server files", "example.com")


def test_parse_a_file(tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    args = ["-S", str(SUPPORT / "odd_mcp_server.py"), "pages"]
    entries = {
        "local": {"command": sys.executable, "args": args, "env": {"A": "b"}, "prefix": "p_", "tools": ["tool1"]},
        "remote": {"type": "http", "url": "http://localhost:1/mcp", "headers": {"Authorization": "Bearer x"}},
        "off": {"command": "x", "disabled": True},
    }
    file.write_text(json.dumps({"mcpServers": entries}))
    local, remote = McpServer.parse(str(file))
    assert (local.name, remote.name) == ("local", "remote")

    async def use(tools: dict[str, AgentTool]) -> list[str]:
        return list(tools)

    assert with_tools(local, use) == ["p_tool1"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "names no MCP servers"),
        ('{"mcpServers": {}}', "names no MCP servers"),
        ('{"mcpServers": {"a": {}}}', "'a' .* either a 'command' or a 'url'"),
        ('{"mcpServers": {"a": {"command": "x", "url": "http://x"}}}', "either a 'command' or a 'url'"),
        ('{"mcpServers": {"a": {"command": "x", "args": [1]}}}', "wrong 'args'"),
        ('{"mcpServers": {"a": {"command": ["x"]}}}', "wrong 'command'"),
        ('{"mcpServers": {"a": {"url": "ftp://x"}}}', "no http or https URL"),
        ('{"mcpServers": {"a": {"type": "sse", "url": "http://x"}}}', "'sse'"),
    ],
)
def test_files_that_are_wrong(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "servers.json").write_text(content)
    with pytest.raises(UsageError, match=message):
        McpServer.parse(str(tmp_path / "servers.json"))


@pytest.mark.parametrize("text", ["", "no-such-file.json", "'unclosed"])
def test_texts_that_name_no_server(text: str) -> None:
    with pytest.raises(UsageError):
        McpServer.parse(text)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from mistralet.agents import mcp

    monkeypatch.delattr(mcp, "connection", raising=False)
    monkeypatch.setitem(sys.modules, "mistralet.agents.mcp.connection", None)
    with pytest.raises(ToolError, match=r"pip install 'mistralet\[mcp\]'"):
        call(McpServer.stdio("x"))
