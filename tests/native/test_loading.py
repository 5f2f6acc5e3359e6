"""Which kernels are used is decided by what there is, and can be decided by the user."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mistralet.native import kernels


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_the_kernels_can_be_turned_off() -> None:
    code = "from mistralet.native import kernels, missing_because; print(kernels, missing_because)"
    assert run(code, MISTRALET_NATIVE="off").stdout == "None MISTRALET_NATIVE is 'off'\n"


@pytest.mark.skipif(kernels is None, reason="the native kernels were not built")
@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({"MISTRALET_NATIVE": "mmx"}, "MISTRALET_NATIVE is 'mmx', but this processor has"),
        ({"MISTRALET_THREADS": "many"}, "MISTRALET_THREADS is 'many', but must be a whole number"),
        ({"MISTRALET_THREADS": "0"}, "MISTRALET_THREADS is '0', but must be a whole number"),
    ],
)
def test_nonsense_in_the_environment_is_refused(environment: dict[str, str], complaint: str) -> None:
    result = run("import mistralet.native", **environment)
    assert complaint in result.stderr


@pytest.mark.skipif(kernels is None, reason="the native kernels were not built")
def test_an_instruction_set_can_be_forced() -> None:
    assert (
        run("from mistralet.native import kernels; print(bool(kernels))", MISTRALET_NATIVE="portable").stdout
        == "True\n"
    )
