"""The examples of docs/agents.md run, and print what the page shows."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mistralet import agents
from mistralet.cli.main import main
from support.chat_server import FakeServer, Reply, chunk, piece, serve

PAGE = (Path(__file__).parents[2] / "docs" / "agents.md").read_text(encoding="utf-8")
URL = "http://localhost:8000"
CITIES = ("Rome", "Oslo")
LOOKS = Reply(
    [
        chunk(tool_calls=[piece("weather", f'{{"city": "{city}"}}', index=i, call_id=city)])
        for i, city in enumerate(CITIES)
    ]
    + [chunk("tool_calls")]
)
TOOLS = '''
def weather(city: str) -> dict[str, object]:
    """The weather in a city."""
    if city == "Oslo":
        raise LookupError("no station answers in Oslo")
    return {"city": city, "temperature": 21, "unit": "C"}
'''


def says(text: str) -> Reply:
    return Reply([chunk(content=text), chunk("stop")])


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    monkeypatch.chdir(tmp_path)
    with serve() as fake:
        yield fake


def test_the_python_examples(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.replies = [LOOKS, says("Rome."), LOOKS, says("Rome."), LOOKS, says("Rome.")]
    names: dict[str, Any] = {"__name__": "agents_page"}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(code.replace(URL, server.url), "agents.md", "exec"), names)
    first, *results, end, last = capsys.readouterr().out.splitlines()
    assert (first, end, last) == ("Rome. answered 2", "Rome. [answered]", "steps answered")
    assert set(results) == {
        f'weather({{"city": "{city}"}}) gave {{"city":"{city}","temperature":21,"unit":"C"}}' for city in CITIES
    }


def test_the_command(server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```text\n\$ (.*?)```", PAGE, re.DOTALL)
    command, shown = example.split("\n", 1)
    (tmp_path / "tools.py").write_text(TOOLS)
    server.replies = [LOOKS, says(shown.splitlines()[-1])]
    screen = io.StringIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, screen)
    monkeypatch.setattr(sys, "argv", shlex.split(command.replace(URL, server.url)))
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert _parts(re.sub(r"\d+\.\d\d s", "0.00 s", screen.getvalue())) == _parts(shown)


def _parts(screen: str) -> tuple[list[str], str]:
    """What was shown, the results in any order; and the answer."""
    *lines, answer = screen.splitlines(keepends=True)
    return sorted(re.split("(?=└)", "".join(lines))), answer


def test_the_table_names_every_event() -> None:
    members = agents.AgentEvent.__args__  # type: ignore[attr-defined]
    assert [event.__name__ for event in members if f"`{event.__name__}(" not in PAGE] == []


def test_the_defaults_are_those_of_the_page() -> None:
    (written,) = re.findall(r"limits=(Limits\(.*?\))\)`", PAGE)
    assert eval(written, {"Limits": agents.Limits}) == agents.Limits()
