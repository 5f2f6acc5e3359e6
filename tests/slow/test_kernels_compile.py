"""What the interpreter accepts a card may not: each kernel is compiled for three generations of them, which none needs.

Each takes half a minute.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

if importlib.util.find_spec("triton") is None:  # not imported, or the interpreter's tests could not follow
    pytest.skip("there is no triton", allow_module_level=True)
COMPILER = Path(__file__).parents[1] / "support" / "gpu_compiler.py"
# Shared memory of a program, by NVIDIA's table of compute capabilities; 86 and 89 have the least.
LARGEST_SHARED = {80: 163 << 10, 89: 99 << 10, 90: 227 << 10}
# Bytes that may lie in memory instead of registers; the heart of no kernel does.
LARGEST_SPILL = 64


@pytest.mark.parametrize("capability", LARGEST_SHARED)
def test_kernels_compile(capability: int, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"TRITON_CACHE_DIR": str(tmp_path), "TRITON_DEFAULT_FP_FUSION": "1"}
    done = subprocess.run(
        [sys.executable, COMPILER, str(capability)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    expected = {"_some_tokens", "_add_up", "_dequantize", "_rms_norm", "_swiglu", "_attend", "_join"}
    expected |= {"_rotate_and_store", "_round_tokens"}
    assert {name for name, _, _ in lines} == expected
    for name, spilled, shared in lines:
        assert int(spilled) <= LARGEST_SPILL, name
        assert int(shared) <= LARGEST_SHARED[capability], name
