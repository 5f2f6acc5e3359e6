"""Python programs that read what a stranger sent: such a file can keep its reader busy for hours, fill the memory, or
crash it, so that it is read in a process of its own that is ended.

This file is also how such a process begins: `python -I limited_program.py PROGRAM SECONDS MEMORY` limits itself, then
runs the program. It imports nothing of mistralet, as its packages take long to import.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import runpy
import subprocess
import sys

_MEMORY = 2 << 30  # bytes


class ProgramError(Exception):
    """A program ended with an error, or was ended because it took too much memory or processor time."""


async def run_limited(program: str, data: bytes, seconds: float) -> bytes:
    """What a program, a Python file, writes when it gets `data` on its standard input.

    Raises:
        TimeoutError: it takes longer than `seconds`.
        ProgramError: it does not come to its end.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(program, seconds),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds):
            written, _ = await process.communicate(data)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    if process.returncode:
        raise ProgramError
    return written


def run_limited_here(program: str, data: bytes, seconds: float) -> bytes:
    """The same for who has no event loop: waits for the program.

    Raises:
        TimeoutError, ProgramError: see `run_limited`.
    """
    try:
        ended = subprocess.run(
            _command(program, seconds),
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
    if ended.returncode:
        raise ProgramError
    return ended.stdout


def _command(program: str, seconds: float) -> list[str]:
    return [sys.executable, "-I", __file__, program, str(math.ceil(seconds)), str(_MEMORY)]


def _limit(seconds: int, memory: int) -> None:
    with contextlib.suppress(ImportError):  # not everywhere
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


if __name__ == "__main__":
    _limit(int(sys.argv[2]), int(sys.argv[3]))
    runpy.run_path(sys.argv[1], run_name="__main__")
