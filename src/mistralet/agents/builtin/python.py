"""`run_python`: a model's code in a process of its own that can reach nothing (see `sandbox`)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

from mistralet.agents.builtin import sandbox
from mistralet.agents.builtin.scratch import holds_more, scratch_folder
from mistralet.agents.builtin.specs import require_nothing
from mistralet.agents.function_tool import function_tool
from mistralet.agents.tool import AgentTool
from mistralet.errors import ToolError

_SECONDS = 30.0
_LIMITS = {  # see setrlimit(2)
    "CPU": 20,  # seconds
    "AS": 2 << 30,  # bytes of memory
    "FSIZE": 20_000_000,  # bytes of a file
    "NOFILE": 64,
    "CORE": 0,
}
_MOST_WRITTEN = 100_000_000  # bytes of all files, looked at every so often
_MOST_ENTRIES = 10_000  # files and folders
_LOOK_EVERY = 0.2  # seconds
_LONGEST_CODE = 100_000  # characters
_KEPT = 8_000  # bytes of the beginning of what is printed, and of its end


def python_tools(rest: str) -> list[AgentTool]:
    """The tool `run_python`; its specification is `python` alone. A person must agree to each run.

    Raises:
        ToolError: this system cannot hold the code in.
    """
    require_nothing("python", rest)
    if sandbox.landlock_version() < sandbox.LEAST_LANDLOCK:
        raise ToolError("The tool 'python' needs Linux 6.2 or later with Landlock, on x86_64 or aarch64.")
    return [function_tool(run_python, needs_consent=True, timeout=_SECONDS + 15)]


async def run_python(code: str) -> str:
    """Run a Python program and read what it prints. It has no network, no files but its own, and starts anew each time.

    Args:
        code: the whole program; a last line that is an expression is printed.
    """
    if len(code) > _LONGEST_CODE:
        raise ToolError(f"The code has {len(code):,} characters; at most {_LONGEST_CODE:,} are run.")
    async with scratch_folder() as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-B", "-X", "utf8", sandbox.__file__, json.dumps(_LIMITS), str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=folder,
            env={"HOME": str(folder), "TMPDIR": str(folder), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        try:
            return await _finish(process, code, folder)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await asyncio.shield(process.wait())


async def _finish(process: asyncio.subprocess.Process, code: str, folder: Path) -> str:
    """What a run prints, and how it ended."""
    assert process.stdin is not None
    pipes = [asyncio.create_task(_ends_of(pipe)) for pipe in (process.stdout, process.stderr) if pipe]
    end = ""
    try:
        async with asyncio.timeout(_SECONDS):
            with contextlib.suppress(ConnectionError):  # it ended before it had read all
                process.stdin.write(code.encode("utf-8", errors="replace"))
                await process.stdin.drain()
            process.stdin.close()
            end = await _wait(process, folder)
    except TimeoutError:
        end = f"[Stopped: it runs for more than {_SECONDS:g} seconds.]"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        printed = [text for text in await asyncio.gather(*pipes) if text]
    return "\n".join([*printed, *filter(None, [end])]) or "[Nothing was printed.]"


async def _wait(process: asyncio.subprocess.Process, folder: Path) -> str:
    """How a run ended, "" if well; one that fills the disk is stopped."""
    ended = asyncio.ensure_future(process.wait())
    while not (await asyncio.wait([ended], timeout=_LOOK_EVERY))[0]:
        if await asyncio.to_thread(holds_more, folder, _MOST_ENTRIES, _MOST_WRITTEN):
            ended.cancel()
            return f"[Stopped: it writes more than {_MOST_WRITTEN:,} bytes or {_MOST_ENTRIES:,} files and folders.]"
    status = ended.result()
    if status < 0:
        reason = {signal.SIGXCPU: "it computes for too long", signal.SIGKILL: "it computes for too long"}
        return f"[Stopped: {reason.get(signal.Signals(-status), f'signal {-status}')}.]"
    return f"[It ended with status {status}.]" if status else ""


async def _ends_of(pipe: asyncio.StreamReader) -> str:
    """The beginning and the end of what comes, all of which is read."""
    beginning, end, left_out = b"", b"", 0
    while piece := await pipe.read(1 << 16):
        room = _KEPT - len(beginning)
        beginning += piece[:room]
        end += piece[room:] if room < len(piece) else b""
        left_out += max(0, len(end) - _KEPT)
        end = end[-_KEPT:]
    note = f"\n[... {left_out:,} bytes are left out ...]\n".encode() if left_out else b""
    return (beginning + note + end).decode("utf-8", errors="replace").rstrip()
