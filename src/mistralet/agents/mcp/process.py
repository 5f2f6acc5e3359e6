"""An MCP server as a child process: lines of JSON on its standard input and output.

The SDK's own client is not used for this: it keeps a line of any length in memory, leaves the children of a server that
ended by itself, and waits for ever for the output of one that was killed while a child of it holds the pipe.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from mistralet.agents.mcp.server_log import ServerLog

_LONGEST_LINE = 16 << 20  # bytes of one message
_MOST_STRAY_LINES = 1000  # that are no messages, such as prints
_GRACE = 1.0  # seconds to end after the input is closed, and again after SIGTERM
_LAST_OUTPUT = 0.2  # seconds in which what an ended server had written is read

ServerStreams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


@dataclass(frozen=True)
class Command:
    """How a server is started."""

    program: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None  # besides HOME, PATH and what else is harmless
    cwd: str | Path | None = None


@asynccontextmanager
async def run_process(command: Command, log: ServerLog) -> AsyncIterator[ServerStreams]:
    """A server's process, in a process group of its own, which is ended to the last member.

    Raises:
        OSError, ValueError: it cannot be started.
    """
    transport, pipes = await asyncio.get_running_loop().subprocess_exec(
        lambda: _Pipes(log),
        command.program,
        *command.args,
        env=get_default_environment() | dict(command.env or {}),
        cwd=command.cwd,
        start_new_session=True,
    )
    to_session, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_server, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    work = [
        asyncio.create_task(_read(pipes, transport, to_session, log)),
        asyncio.create_task(_write(transport, from_session)),
    ]
    try:
        yield from_server, to_server
    finally:
        for task in work:
            task.cancel()
        try:
            with anyio.CancelScope(shield=True):  # the SDK cancels what is around it again and again
                await _end(transport, pipes)
        finally:  # no await from here: nothing can come between
            _signal_group(transport, signal.SIGKILL)
            transport.close()
            for stream in (to_session, from_server, to_server, from_session):
                stream.close()


class _Pipes(asyncio.SubprocessProtocol):
    """What the process writes, and whether it has ended, which its pipes alone do not tell."""

    def __init__(self, log: ServerLog) -> None:
        self.stdout = asyncio.StreamReader(_LONGEST_LINE)
        self.exited = asyncio.Event()
        self._log = log
        self._at_eof = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        pipe = transport.get_pipe_transport(1)
        assert pipe is not None
        self.stdout.set_transport(pipe)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self._log.add(data)
        elif not self._at_eof:
            self.stdout.feed_data(data)

    def pipe_connection_lost(self, fd: int, _error: Exception | None) -> None:
        if fd == 1:
            self._end_output()

    def process_exited(self) -> None:
        self.exited.set()
        asyncio.get_running_loop().call_later(_LAST_OUTPUT, self._end_output)

    def _end_output(self) -> None:
        if not self._at_eof:
            self._at_eof = True
            self.stdout.feed_eof()


async def _read(
    pipes: _Pipes,
    transport: asyncio.SubprocessTransport,
    to_session: MemoryObjectSendStream[SessionMessage | Exception],
    log: ServerLog,
) -> None:
    """Hand on each message. The stream is closed at the end of the output, which fails every call at once."""
    stray = 0
    with to_session, _ending(log), suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        while stray <= _MOST_STRAY_LINES:
            try:
                line = await pipes.stdout.readline()
            except ValueError:
                log.blame(f"it wrote a message of more than {_LONGEST_LINE >> 20} MiB")
                return
            if not line:
                if await _happens(pipes.exited, _GRACE):
                    log.blame(_how_it_ended(transport))
                log.blame("it closed its output")
                return
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                stray += 1
                log.add(line)
            else:
                await to_session.send(SessionMessage(message))
        log.blame(f"it wrote more than {_MOST_STRAY_LINES} lines that are no MCP messages to its standard output")


@contextmanager
def _ending(log: ServerLog) -> Iterator[None]:
    try:
        yield
    finally:
        log.ended = True


async def _write(
    transport: asyncio.SubprocessTransport, from_session: MemoryObjectReceiveStream[SessionMessage]
) -> None:
    pipe = transport.get_pipe_transport(0)
    assert isinstance(pipe, asyncio.WriteTransport)
    with suppress(anyio.ClosedResourceError):
        async for item in from_session:
            if not pipe.is_closing():
                pipe.write(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")


async def _end(transport: asyncio.SubprocessTransport, pipes: _Pipes) -> None:
    """Let the server end by itself, then ask it to, then end it."""
    pipe = transport.get_pipe_transport(0)
    if pipe is not None:
        pipe.close()
    if not await _happens(pipes.exited, _GRACE):
        _signal_group(transport, signal.SIGTERM)
        await _happens(pipes.exited, _GRACE)
    _signal_group(transport, signal.SIGKILL)
    await _happens(pipes.exited, _GRACE)


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def _signal_group(transport: asyncio.SubprocessTransport, number: signal.Signals) -> None:
    """The group has the number of the process that was its first, and keeps it while a member lives."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(transport.get_pid(), number)


def _how_it_ended(transport: asyncio.SubprocessTransport) -> str:
    code = transport.get_returncode() or 0
    return f"its process was ended by signal {-code}" if code < 0 else f"its process ended with exit code {code}"
