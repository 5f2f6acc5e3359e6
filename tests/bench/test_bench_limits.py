"""The machine's limits: compiling, running, reading what was printed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench import limits
from bench.limits import Limits, compile_limits, measure_limits
from mistralet.errors import UsageError


def script(folder: Path, body: str) -> Path:
    path = folder / "limits"
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(0o755)
    return path


def test_what_the_program_prints_is_read(tmp_path: Path) -> None:
    line = '{"read_best": 20.5, "read_median": 19, "int8_best": 500, "int8_median": 480, "int8_with": "x" * 3}'
    program = script(tmp_path, f"print('''{line}'''.replace('\"x\" * 3', '\"' + sys.argv[1] + ' threads\"'))")
    assert measure_limits(program, 3) == Limits(20.5, 19, 500, 480, "3 threads")


def test_a_failure_is_one_sentence(tmp_path: Path) -> None:
    program = script(tmp_path, "sys.exit('no 1073741824 bytes of memory are free')")
    with pytest.raises(UsageError, match=r"cannot be measured \(no 1073741824 bytes .*\); make room"):
        measure_limits(program, 1)


@pytest.mark.skipif(not any(map(shutil.which, limits._COMPILERS)), reason="there is no C++ compiler")
def test_the_program_refuses_what_is_no_number_of_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_OPTIONS", ("-std=c++17", "-pthread", "-Wall", "-Wextra"))  # quickly compiled
    program = compile_limits(tmp_path)
    assert subprocess.run([program, "0"], capture_output=True, check=False).returncode == 2


def test_without_a_compiler_one_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="No C\\+\\+ compiler"):
        compile_limits(tmp_path)


@pytest.mark.parametrize("compiler", ["/no/compiler", "false"])
def test_a_compiler_that_fails_is_said(compiler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(UsageError, match="cannot be compiled"):
        compile_limits(tmp_path)
