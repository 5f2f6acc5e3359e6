"""The CPU kernels in C++ (folder `native/` of the repository), where this installation has them.

`kernels` is the compiled module, ready to be called, or None; then `missing_because` says why. The environment variable
MISTRALET_NATIVE forces an instruction set ("avx512", "avx2", "portable") or turns the kernels off ("off");
MISTRALET_THREADS sets the number of threads.
"""

from __future__ import annotations

import os
from types import ModuleType

from mistralet.errors import UsageError
from mistralet.machine import available_cpus


def _load() -> tuple[ModuleType | None, str]:
    wanted = os.environ.get("MISTRALET_NATIVE", "")
    if wanted == "off":
        return None, "MISTRALET_NATIVE is 'off'"
    try:
        from mistralet.native import _kernels
    except ImportError:
        return None, "they were not built; install a C++ compiler and install mistralet again"
    supported = _kernels.instruction_sets()
    if wanted and wanted not in supported:
        raise UsageError(f"MISTRALET_NATIVE is '{wanted}', but this processor has {', '.join(supported)} (or 'off').")
    _kernels.configure(_threads(), wanted or supported[0])
    return _kernels, ""


def _threads() -> int:
    text = os.environ.get("MISTRALET_THREADS", "")
    if not text:
        return available_cpus()
    if not text.isdigit() or not 0 < int(text) <= 1024:
        raise UsageError(f"MISTRALET_THREADS is '{text}', but must be a whole number from 1 to 1024.")
    return int(text)


kernels, missing_because = _load()
