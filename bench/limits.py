"""What this machine can do at most, measured by a small C++ program (limits.cpp) that is compiled on the spot."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mistralet.errors import UsageError

_SOURCE = Path(__file__).with_name("limits.cpp")
_COMPILERS = ("c++", "g++", "clang++")
_OPTIONS = ("-std=c++17", "-O3", "-march=native", "-pthread")


@dataclass(frozen=True)
class Limits:
    """One measurement: the best of several passes, and their median."""

    read_best: float  # GB/s, from memory
    read_median: float
    int8_best: float  # 10^9 operations/s, a multiply-accumulate of 8-bit numbers being two
    int8_median: float
    int8_with: str  # the instructions


def compile_limits(folder: Path) -> Path:
    """The program, compiled into `folder` for this processor.

    Raises:
        UsageError: there is no C++ compiler, or it fails.
    """
    compiler = shlex.split(os.environ.get("CXX", "")) or [name for name in _COMPILERS if shutil.which(name)][:1]
    if not compiler:
        raise UsageError("No C++ compiler is installed, which measures the machine's limits; install g++ or clang++.")
    program = folder / "limits"
    try:
        subprocess.run([*compiler, *_OPTIONS, _SOURCE, "-o", program], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[0]
        raise UsageError(f"{_SOURCE} cannot be compiled ({reason}); set CXX to another C++ compiler.") from error
    return program


def measure_limits(program: Path, threads: int) -> Limits:
    """Run the program: about two seconds and 1 GiB of memory.

    Raises:
        UsageError: it fails.
    """
    # `run` ends the process when it is interrupted.
    ran = subprocess.run([program, str(threads)], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        reason = ran.stderr.strip() or f"exit code {ran.returncode}"
        raise UsageError(f"The machine's limits cannot be measured ({reason}); make room in memory and try again.")
    return Limits(**json.loads(ran.stdout))
