"""An agent goes on when the MCP server that its tools come from is killed in a call."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from mistralet.agents import Agent, AgentEvent, ConsentAsked, Finished, ToolResult, ToolStarted
from mistralet.agents.mcp import McpServer
from mistralet.chat import ToolCall
from support.scripted_chat import Call, ScriptedChat, calls

SUPPORT = Path(__file__).parent.parent / "support"


async def events_of(agent: Agent, folder: Path) -> list[AgentEvent]:
    events = []
    async for event in agent.stream("Note that it rains."):
        events.append(event)
        if isinstance(event, ToolStarted) and event.call.name == "wait":
            async with asyncio.timeout(20):
                while not (folder / "pid").exists():
                    await asyncio.sleep(0.005)
            os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
    return events


def test_a_run_goes_on_after_its_mcp_server_was_killed(tmp_path: Path) -> None:
    turns = [
        calls(Call("write_file", {"name": "note", "text": "It rains."})),
        calls(Call("wait")),
        calls(Call("read_file", {"name": "note"}), Call("read_file", {"name": 3})),
        "Noted.",
    ]
    files = McpServer.stdio(sys.executable, [str(SUPPORT / "mcp_files.py"), str(tmp_path)], name="files")

    async def consent(call: ToolCall) -> bool:
        return call.name in ("write_file", "wait")

    agent = Agent(ScriptedChat(turns), [files], consent=consent)
    events = asyncio.run(events_of(agent, tmp_path))
    assert [event.call.name for event in events if isinstance(event, ConsentAsked)] == ["write_file", "wait"]
    results = {event.call.id: event for event in events if isinstance(event, ToolResult)}
    assert sorted(event.text[:45] for event in results.values()) == [
        "Error: The MCP server 'files' ended during th",
        "Error: the arguments do not fit the tool's sc",
        "It rains.",
        "wrote 9 characters",
    ]
    assert isinstance(events[-1], Finished)
    assert (events[-1].result.text, events[-1].result.reason) == ("Noted.", "answered")
