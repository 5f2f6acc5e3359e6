"""`mistralet agent` and `mistralet chat --tool`: what a person sees, what a program reads, and who agrees to calls."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from mistralet.agents import AgentTool, Transcript, function_tool
from mistralet.cli.common import OpenModel
from mistralet.cli.main import main
from mistralet.tokenizer import BpeTokenizer
from support.chat_server import FakeServer, Reply, chunk, piece, serve
from support.scripted_chat import Call, ScriptedChat, Turn, calls


class Run(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Run]

TOOLS = '''
import os, signal, threading

def weather(city: str) -> str:
    """The weather in a city."""
    if city == "Oslo":
        raise LookupError("no station answers")
    return "\\n".join(f"line {number}" for number in range(9))

def stop() -> None:
    """Presses Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(0.5)  # longer than a cancelled run takes to end

answer = 42
'''


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object, stdin: str | None = "") -> Run:
        monkeypatch.setattr(sys, "argv", ["mistralet", *map(str, arguments)])
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        with pytest.raises(SystemExit) as ended:
            main()
        return Run(int(ended.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serve() as fake:
        yield fake


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    path = tmp_path / "tools.py"
    path.write_text(TOOLS)
    return path


@pytest.fixture
def delete(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a dangerous tool, which `--tool delete` names, has deleted."""
    deleted: list[str] = []

    def delete(path: str) -> None:
        deleted.append(path)

    def chosen(names: list[str] | None, _servers: list[str] | None) -> list[AgentTool]:
        return [function_tool(delete, needs_consent=True)] if names else []

    for module in ("agent", "chat"):
        monkeypatch.setattr(f"mistralet.cli.{module}.chosen_tools", chosen)
    return deleted


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Makes standard input a terminal, into which it types."""
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield lambda text: os.write(keyboard, text.encode()) and None
    os.close(keyboard)


def call(name: str, arguments: str, call_id: str = "a", index: int = 0) -> dict[str, object]:
    return chunk("tool_calls", tool_calls=[piece(name, arguments, index=index, call_id=call_id)])


HELLO = Reply([chunk(content="It is "), chunk("stop", content="sunny.")])


class TestAgent:
    def test_calls_and_results_are_shown_beside_the_answer(
        self, command: Command, server: FakeServer, tools: Path
    ) -> None:
        looks = Reply(
            [
                chunk(content="Let me look."),
                call("weather", '{"city": "Rome"}'),
                call("weather", '{"city": "Oslo"}', "b", 1),
            ]
        )
        server.replies = [looks, HELLO]
        run = command("agent", "How is Rome?", "--url", server.url, "--tool", f"{tools}:weather")
        assert (run.code, run.out) == (0, "Let me look.\nIt is sunny.\n")
        shown = re.sub(r"\d\.\d\d s", "0.00 s", run.err)
        assert shown.startswith('● weather {"city": "Rome"}\n● weather {"city": "Oslo"}\n')
        lines = "".join(f"  line {number}\n" for number in range(6))
        assert f"└ weather #1 · 0.00 s\n{lines}  … 3 more lines\n" in shown
        assert "└ weather #2 · 0.00 s\n  Error: LookupError: no station answers\n" in shown

    def test_json_is_a_line_per_event(self, command: Command, server: FakeServer, tools: Path) -> None:
        server.replies = [Reply([call("weather", '{"city": "Rome"}')]), HELLO]
        run = command("agent", "--url", server.url, "--tool", f"{tools}:weather", "--json", stdin="How is Rome?\n")
        events = [json.loads(line) for line in run.out.splitlines()]
        assert [event["event"] for event in events] == [
            *("run_started", "call_started", "call_arguments", "step_end", "tool_started", "tool_result"),
            *("text", "text", "step_end", "finished"),
        ]
        assert events[5]["text"].startswith("line 0\n")
        last = events[-1]
        assert (last["reason"], last["text"], last["used"]["steps"]) == ("answered", "It is sunny.", 2)
        assert last["messages"][0] == {"role": "user", "content": "How is Rome?"}

    def test_a_run_that_stopped_says_how_it_goes_on_and_does(
        self, command: Command, server: FakeServer, tools: Path, tmp_path: Path
    ) -> None:
        options = ("--url", server.url, "--tool", f"{tools}:weather", "--transcript", tmp_path / "runs.db")
        server.replies = [Reply([call("weather", '{"city": "Rome"}')])]
        stopped = command("agent", "How is Rome?", *options, "--max-steps", 1)
        assert stopped.code == 1
        assert "Stopped: the most steps were taken (--max-steps)." in stopped.err
        resume = re.search(r"It goes on with --transcript \S+ --resume (\w+)\n", stopped.err)
        assert resume is not None
        server.replies = [HELLO]
        run = command("agent", *options, "--resume", resume[1])
        assert (run.code, run.out) == (0, "It is sunny.\n")
        assert "line 0" in run.err

    def test_neither_calls_nor_results_control_the_terminal(
        self, command: Command, server: FakeServer, tmp_path: Path
    ) -> None:
        path = tmp_path / "tools.py"
        path.write_text("def show(text: str) -> str:\n    return '\\x1b[2J\\u202e' + text")
        server.replies = [Reply([call("show", '{"text": "\x9b31m\u202e"}')]), HELLO]
        run = command("agent", "go", "--url", server.url, "--tool", f"{path}:show")
        assert '● show {"text": "\N{REPLACEMENT CHARACTER}31m\N{REPLACEMENT CHARACTER}"}' in run.err
        assert not re.search("[\x1b\x9b\u202e]", run.err)

    def test_a_dangerous_call_is_refused_where_nobody_answers(
        self, command: Command, server: FakeServer, delete: list[str]
    ) -> None:
        server.replies = [Reply([call("delete", '{"path": "x"}')]), HELLO]
        run = command("agent", "go", "--url", server.url, "--tool", "delete")
        assert (run.code, delete) == (0, [])
        assert "nobody to ask" in run.err

    def test_yes_agrees_to_all(self, command: Command, server: FakeServer, delete: list[str]) -> None:
        server.replies = [Reply([call("delete", '{"path": "x"}')]), HELLO]
        command("agent", "go", "--url", server.url, "--tool", "delete", "--yes")
        assert delete == ["x"]

    @pytest.mark.parametrize(
        ("typed", "deleted"),
        [("y\nno\n", ["0"]), ("a\n", ["0", "1"]), ("what?\nn\nYES\n", ["1"]), ("\x04\x04", [])],
        ids=["yes and no", "always", "asked again", "end of input"],
    )
    def test_a_person_is_asked(
        self,
        typed: str,
        deleted: list[str],
        command: Command,
        server: FakeServer,
        delete: list[str],
        type_in: Callable[[str], None],
    ) -> None:
        server.replies = [
            *(Reply([call("delete", f'{{"path": "{number}"}}', f"id{number}")]) for number in (0, 1)),
            HELLO,
        ]
        for line in typed.splitlines(keepends=True):
            type_in(line)
        run = command("agent", "go", "--url", server.url, "--tool", "delete", stdin=None)
        assert delete == deleted
        assert run.err.index('● delete {"path": "0"}') < run.err.index("Run delete? [y]es, [n]o, [a]lways")

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            ((), "The task is empty"),
            (("go", "--resume", "x"), "leave the task out"),
            (("--resume", "x"), "--resume goes on with a run of --transcript"),
            (("go", "--max-steps", "0"), "'steps' of an agent is 0"),
            (("go", "--kv-type", "int8"), "leave it out with --url"),
            (("go", "--tool", "/no/such.py:f"), "is no file"),
            (("go", "--tool", "TOOLS:nothing"), "has no function 'nothing'"),
            (("go", "--tool", "TOOLS:answer"), "has no function 'answer'"),
        ],
    )
    def test_nonsense_is_one_sentence(
        self, arguments: tuple[str, ...], complaint: str, command: Command, server: FakeServer, tools: Path
    ) -> None:
        run = command("agent", *(text.replace("TOOLS", str(tools)) for text in arguments), "--url", server.url)
        assert run.code == 2
        assert complaint in run.err
        assert run.err.count("\n") == 1

    def test_a_file_that_cannot_be_run(self, command: Command, server: FakeServer, tmp_path: Path) -> None:
        broken = tmp_path / "broken.py"
        broken.write_text("1 / 0")
        run = command("agent", "go", "--url", server.url, "--tool", f"{broken}:f")
        assert "broken.py: cannot be run (ZeroDivisionError: division by zero); correct it." in run.err

    def test_ctrl_c_leaves_the_run_in_the_transcript(
        self,
        command: Command,
        server: FakeServer,
        tmp_path: Path,
        delete: list[str],
        type_in: Callable[[str], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        async def interrupt() -> str:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
            return ""

        monkeypatch.setattr("mistralet.cli.tools._line", interrupt)
        server.replies = [Reply([call("delete", '{"path": "x"}')])]
        path = tmp_path / "runs.db"
        type_in("")
        run = command("agent", "go", "--url", server.url, "--tool", "delete", "--transcript", path, stdin=None)
        assert (run.code, delete) == (130, [])
        assert "It goes on with" in run.err
        with Transcript(path) as transcript:
            ((run_id,),) = transcript.database.execute("SELECT id FROM runs").fetchall()
            assert transcript.load(run_id).open_calls


class TestChat:
    @pytest.fixture
    def model(self, monkeypatch: pytest.MonkeyPatch, tiny_tokenizer: BpeTokenizer) -> ScriptedChat:
        """The model that `mistralet chat` opens."""
        model = ScriptedChat([])
        config = SimpleNamespace(config=SimpleNamespace(vision=None))
        loaded = SimpleNamespace(tokenizer=tiny_tokenizer, checkpoint=config)
        opened = OpenModel("scripted", loaded, None, 0.0)  # type: ignore[arg-type]
        monkeypatch.setattr("mistralet.cli.chat.open_model", lambda *_: opened)
        monkeypatch.setattr("mistralet.cli.chat.local_chat", lambda _: model)
        return model

    def test_tools_are_called_and_the_talk_goes_on(
        self, command: Command, model: ScriptedChat, tools: Path, tmp_path: Path
    ) -> None:
        model.turns = [Turn("Wait.", [Call("weather", {"city": "Rome"})]), "Sunny.", "You are welcome."]
        saved = tmp_path / "talk.json"
        lines = ["/system Be brief.", "How is Rome?", "/dance", "Thanks!", f"/save {saved}", "/exit", "never said"]
        run = command("chat", "--tool", f"{tools}:weather", stdin="\n".join(lines))
        assert (run.code, run.out) == (0, "Wait.\nSunny.\nYou are welcome.\n")
        assert '● weather {"city": "Rome"}\n└ weather' in run.err
        assert "'/dance' is no command" in run.err
        roles = [message["role"] for message in json.loads(saved.read_text())["messages"]]
        assert roles == ["system", "user", "assistant", "tool", "assistant", "user", "assistant"]

    @pytest.mark.parametrize("moment", ["while it writes", "while a tool runs"])
    def test_ctrl_c_stops_the_answer_and_the_talk_goes_on(
        self, moment: str, command: Command, model: ScriptedChat, tools: Path
    ) -> None:
        def interrupt(_messages: object) -> Turn:
            os.kill(os.getpid(), signal.SIGINT)
            return Turn("late", seconds=60)

        model.turns = [interrupt if moment == "while it writes" else calls(Call("stop")), "Here.", "Here."]
        run = command(
            "chat", "--tool", f"{tools}:stop", stdin="one\n" + "/help\n" + "two\n" * (moment != "while it writes")
        )
        assert run.code == 0
        assert "(stopped)" in run.err
        assert "leave (also Ctrl-D)" in run.err
        if moment == "while a tool runs":
            told = [message.content for message in model.requests[-1].messages if message.role == "tool"]
            assert told == [
                "Error: the user stopped the run while this call was open; it is unknown whether it took effect"
            ]
            assert run.out.endswith("Here.\n")
