"""Programs in processes of their own, played by small scripts."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.harness import Job, Result
from bench.programs import Program, llama_cpp
from mistralet.errors import UsageError

JOB = Job("m.gguf", 2, 0.0, [1], [2], [], [], 8)
RESULT = """
import json, os, sys
job = json.loads(sys.stdin.readline())
print(json.dumps({"first_token": len(job["first"]), "first_token_seconds": job["started"], "prefill": [1.5],
                  "decode": [], "peak_memory": int(os.environ.get("MEMORY", 7))}))
"""


def program(folder: Path, code: str) -> Program:
    script = folder / "program.py"
    script.write_text(code)
    return Program("peer", (sys.executable, str(script)))


def test_a_job_gives_a_result(tmp_path: Path) -> None:
    result = program(tmp_path, RESULT).measure(JOB)
    assert result == Result(1, result.first_token_seconds, [1.5], [], 7)


def test_the_clock_starts_with_the_process(tmp_path: Path) -> None:
    assert program(tmp_path, RESULT).measure(JOB).first_token_seconds > 1e9


def test_variables_are_passed_on(tmp_path: Path) -> None:
    assert program(tmp_path, RESULT).measure(JOB, {"MEMORY": "9"}).peak_memory == 9


def test_a_program_says_what_it_is(tmp_path: Path) -> None:
    code = "import sys; print('{\"arguments\": \"' + sys.argv[1] + '\"}')"
    assert program(tmp_path, code).describe() == {"arguments": "describe"}


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise RuntimeError('the model is gone')", r"peer failed \(RuntimeError: the model is gone\); run '"),
        ("import sys; sys.exit(3)", r"peer failed \(exit code 3\); run '"),
        ("print('hello')", "peer did not print what it measured, but 'hello"),
    ],
)
def test_a_failure_is_one_sentence(code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        program(tmp_path, code).measure(JOB)
    assert "\n" not in str(raised.value).strip()


def test_nothing_runs_on_after_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    started = []

    class Interrupted(subprocess.Popen):  # type: ignore[type-arg]
        def communicate(self, *_: object) -> tuple[str, str]:
            started.append(self)
            raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        program(tmp_path, "import time; time.sleep(60)").measure(JOB)
    (process,) = started
    assert process.returncode is not None
    process.stdin.close()
    process.stdout.close()


def test_a_python_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"/no/python: cannot be run .*--peer-python"):
        llama_cpp(Path("/no/python"))


def test_a_missing_peer_says_how_to_install_it(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(UsageError, match=r"pip install llama-cpp-python==0.3.36' .*--peer-python"):
        llama_cpp(python)
