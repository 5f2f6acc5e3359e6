"""The example of docs/function-calling.md prints what the page shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "function-calling.md").read_text(encoding="utf-8")


def test_the_example_runs(tiny_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tiny_path.is_file()
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "function-calling.md", "exec"), {})
    assert capsys.readouterr().out == shown
