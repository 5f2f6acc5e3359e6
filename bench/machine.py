"""This machine in words, for the page and the JSON."""

from __future__ import annotations

import platform
import re
import subprocess
from pathlib import Path

from mistralet.machine import available_cpus, format_bytes, ram

# The instruction sets that a kernel for 4- to 8-bit weights may use, as Linux calls them.
_FLAGS = ("avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "amx_int8", "asimddp", "i8mm", "sve")


def describe_machine(threads: int) -> dict[str, str]:
    """Processor, memory and system."""
    try:
        cpu_info = Path("/proc/cpuinfo").read_text()
    except OSError:
        cpu_info = ""
    facts = {
        "processor": _processor(cpu_info),
        "processors": f"{available_cpus()} available, {threads} threads used by each program",
        "memory": format_bytes(ram().nbytes),
        "system": platform.platform(),
        "Python": platform.python_version(),
    }
    flags = relevant_flags(cpu_info)
    return facts | ({"instruction sets": " ".join(flags)} if flags else {})


def relevant_flags(cpu_info: str) -> list[str]:
    """The instruction sets in the text of /proc/cpuinfo that matter here."""
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", cpu_info, re.MULTILINE)
    present = set(match.group(1).split()) if match else set()
    return [flag for flag in _FLAGS if flag in present]


def _processor(cpu_info: str) -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", cpu_info, re.MULTILINE)
    if match:
        return match.group(1)
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()
