"""What the documentation shows is what the commands print, and what it links to is there."""

from __future__ import annotations

import io
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from mistralet.cli.main import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Example(NamedTuple):
    command: str
    output: str


def examples() -> list[Example]:
    blocks = [block for page in PAGES for block in _BLOCK.findall(page.read_text(encoding="utf-8"))]
    return [Example(*block.removeprefix("$ ").split("\n", 1)) for block in blocks]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.command)
def test_a_command_prints_what_the_page_shows(
    example: Example, tiny_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tiny_path.is_file()
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("MISTRALET_MODEL", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/no/such/folder")
    piped, _, command = example.command.rpartition(" | ")
    stdin = shlex.split(piped)[1] + "\n" if piped else ""
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert _without_padding(capsys.readouterr().out) == _without_padding(example.output)


def test_there_are_examples() -> None:
    assert len(examples()) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    shown = re.search(r"print\(.*\)  # (.*)", code)
    assert shown is not None
    assert capsys.readouterr().out.strip() == shown.group(1)


def _without_padding(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
