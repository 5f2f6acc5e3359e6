"""The memory of this machine: what the process may use of its RAM, and its GPUs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import psutil

from mistralet.errors import UsageError

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_SIZE = re.compile(r"\s*(\d{1,12}(?:\.\d{1,12})?)\s*([KMGT]?I?)B?\s*", re.ASCII)
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_CGROUP_CPU_QUOTA = "/sys/fs/cgroup/cpu.max"


@dataclass(frozen=True)
class Memory:
    """One place that can hold a model."""

    name: str  # "RAM", or the GPU's name
    nbytes: int


def ram() -> Memory:
    """The RAM this process may use: the machine's, or less where a container limits it."""
    limits = [psutil.virtual_memory().total]
    for file in _CGROUP_LIMITS:
        try:
            limits.append(int(Path(file).read_text()))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return Memory("RAM", min(limits))


def free_ram() -> int:
    """Bytes of RAM this process could still take: those that are free, or hold what can be dropped, such as files."""
    return min(ram().nbytes, int(psutil.virtual_memory().available))


def available_cpus() -> int:
    """Processors this process may use: those it is bound to, or fewer where a container has a quota."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path(_CGROUP_CPU_QUOTA).read_text().split()
        count = min(count, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no quota, or "max"
        pass
    return count


def gpus() -> list[Memory]:
    """NVIDIA GPUs, as their driver's own tool lists them; none where there is no such tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        listing = subprocess.run(query, capture_output=True, errors="replace", timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [line.rsplit(",", 1) for line in listing.splitlines() if "," in line]
    return [Memory(name.strip(), int(mib) * 2**20) for name, mib in rows if mib.strip().isdecimal()]


def parse_size(text: str) -> int:
    """Bytes in a size such as `24GB` (powers of ten) or `24GiB` (powers of two).

    Raises:
        UsageError: it is no size.
    """
    match = _SIZE.fullmatch(text.upper())
    if match is None or match.group(2) not in _UNITS:
        raise UsageError(f"'{text}' is no size; write for example 24GB or 24GiB.")
    return int(Fraction(match.group(1)) * _UNITS[match.group(2)])


def format_bytes(nbytes: int) -> str:
    """A number of bytes for people, in the powers of ten that model files are advertised in."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if nbytes >= size:
            return f"{nbytes / size:.2f} {unit}"
    return f"{nbytes} B"
