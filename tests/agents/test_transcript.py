"""A run that was killed goes on: what has a result or had begun is not run again, and what had not is run."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from mistralet.agents import Agent, Finished, Limits, RunStarted, ToolResult, ToolStarted, Transcript, function_tool
from mistralet.chat import ImagePart, Message, TextPart, ToolCall
from mistralet.errors import TranscriptError, UsageError
from support.scripted_chat import Call, ScriptedChat, Turn, calls


class Tools:
    """Tools that write down that they ran; in the first life of the run, one kills the process at the worst moment."""

    def __init__(self, folder: Path, is_first_life: bool) -> None:
        self.effects = folder / "effects.txt"
        self.is_first_life = is_first_life
        self.noted = threading.Event()

    def note(self, text: str) -> str:
        with self.effects.open("a") as file:
            file.write(f"{text}\n")
        return f"noted {text}"

    def note_and_die(self, text: str) -> str:
        self.note(text)
        self.noted.wait(10)
        os.kill(os.getpid(), signal.SIGKILL)
        return "unreachable"

    async def agree(self, _call: ToolCall) -> bool:
        if self.is_first_life:
            await asyncio.sleep(60)
        return True

    async def watch(self, agent: Agent) -> None:
        """Let the process die only when the result of a call beside the fatal one is written."""
        async for event in agent.stream("go"):
            if isinstance(event, ToolResult) and event.text == "noted beside":
                self.noted.set()

    def agent(self, model: ScriptedChat, transcript: Transcript) -> Agent:
        asks = function_tool(self.note, name="asks", needs_consent=True)
        tools = [self.note, self.note_and_die, asks]
        return Agent(model, tools, transcript=transcript, consent=self.agree)


def test_after_a_sigkill_no_tool_is_run_twice(tmp_path: Path) -> None:
    beside = [("note", "beside"), ("note_and_die", "fatal"), ("asks", "not begun")]
    turns = [
        calls(Call("note", {"text": "first"})),
        calls(*(Call(name, {"text": text}) for name, text in beside)),
        "done",
    ]
    path = tmp_path / "runs.db"

    def first_life() -> None:
        tools = Tools(tmp_path, is_first_life=True)
        asyncio.run(tools.watch(tools.agent(ScriptedChat(turns), Transcript(path))))

    assert how_it_ends(first_life) == -signal.SIGKILL
    with Transcript(path) as transcript:
        ((run_id,),) = transcript.database.execute("SELECT id FROM runs").fetchall()
        model = ScriptedChat(turns)
        result = Tools(tmp_path, is_first_life=False).agent(model, transcript).resume(run_id)
    assert (result.text, result.used.steps) == ("done", 3)
    assert [message.content for message in model.requests[-1].messages if message.role == "tool"] == [
        "noted first",
        "noted beside",
        "Error: the run was interrupted after this call had begun; it is unknown whether it took effect,"
        " and it was not run again",
        "noted not begun",
    ]
    effects = (tmp_path / "effects.txt").read_text().splitlines()
    assert sorted(effects) == ["beside", "fatal", "first", "not begun"]


def how_it_ends(work: Callable[[], None]) -> int:
    """The exit code of a process that does some work; it is a fork, as that starts in no time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking a process with threads
        process = os.fork()
    if process == 0:
        try:
            work()
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


class TestResuming:
    def test_a_run_that_reached_a_limit_goes_on_with_a_higher_one(self, tmp_path: Path) -> None:
        ran: list[int] = []
        model = ScriptedChat([calls(Call("step")), calls(Call("step")), "done"])

        def step() -> None:
            ran.append(1)

        with Transcript(tmp_path / "runs.db") as transcript:
            stopped = Agent(model, [step], transcript=transcript, limits=Limits(steps=1)).run("go")
            assert (stopped.reason, ran) == ("steps", [])
            result = Agent(model, [step], transcript=transcript, limits=Limits(steps=5)).resume(stopped.run_id)
        assert (result.text, result.used.steps, len(ran)) == ("done", 3, 2)

    def test_a_run_that_was_left_says_what_was_interrupted(self) -> None:
        async def hang() -> None:
            await asyncio.sleep(60)

        async def leave_and_resume() -> str:
            run_id = ""
            stream = agent.stream("go")
            async for event in stream:
                if isinstance(event, RunStarted):
                    run_id = event.run_id
                if isinstance(event, ToolStarted):
                    break
            await stream.aclose()
            *_, finished = [event async for event in agent.stream_resumed(run_id)]
            assert isinstance(finished, Finished)
            return str(finished.result.messages[-2].content)

        agent = Agent(ScriptedChat([calls(Call("hang")), "done"]), [hang], transcript=Transcript())
        assert "was interrupted" in asyncio.run(leave_and_resume())

    def test_a_finished_run_gives_its_answer_again_and_asks_nobody(self) -> None:
        transcript = Transcript()
        first = Agent(ScriptedChat(["the answer"]), transcript=transcript).run("go")
        model = ScriptedChat([])
        again = Agent(model, transcript=transcript).resume(first.run_id)
        assert (again.text, again.reason, again.messages) == ("the answer", "answered", first.messages)
        assert not model.requests

    def test_a_turn_that_the_limit_cut_is_written_anew(self) -> None:
        transcript = Transcript()
        model = ScriptedChat([Turn("cu", reason="length", tokens=5)])
        cut = Agent(model, transcript=transcript, limits=Limits(tokens=5)).run("go")
        assert (cut.reason, cut.text) == ("tokens", "cu")
        again = Agent(ScriptedChat(["cut no more"]), transcript=transcript, limits=Limits(tokens=50)).resume(cut.run_id)
        assert (again.text, again.used.output_tokens) == ("cut no more", 15)

    def test_an_agent_without_a_transcript_cannot(self) -> None:
        with pytest.raises(UsageError, match="has no transcript"):
            Agent(ScriptedChat([])).resume("x")

    def test_ids_that_are_used_again_in_another_turn_are_other_calls(self) -> None:
        model = ScriptedChat([calls(Call("step", id="call_0")), calls(Call("step", id="call_0")), "done"])
        ran: list[int] = []
        Agent(model, [function_tool(lambda: ran.append(1), name="step")]).run("go")
        assert len(ran) == 2

    def test_two_that_carry_on_one_run_cannot_both_run_a_call(self, tmp_path: Path) -> None:
        with Transcript(tmp_path / "runs.db") as one, Transcript(tmp_path / "runs.db") as other:
            run = one.begin("m", [Message("user", "go")])
            call = ToolCall("a", "step", "{}")
            run.add(Message("assistant", "", (call,)))
            rival = other.load(run.id)
            run.begin_call(call)
            with pytest.raises(TranscriptError, match="another program carries this run on"):
                rival.begin_call(call)


class TestTheFile:
    def test_messages_come_back_as_they_were(self, tmp_path: Path) -> None:
        messages = [
            Message("system", "é\n\x00"),
            Message("user", (TextPart("what?"), ImagePart(b"\x89PNG\r\n\x1a\n"))),
            Message("assistant", "so", (ToolCall("a b", "t", '{"x": 1}'),)),
            Message("tool", "", tool_call_id="a b"),
        ]
        with Transcript(tmp_path / "runs.db") as transcript:
            run = transcript.begin("m", messages)
            other = transcript.begin("m", [Message("user", "other")])
            assert transcript.load(run.id).messages == messages
            assert len(transcript.load(other.id).messages) == 1

    def test_an_unknown_run_is_refused_and_the_latest_named(self, tmp_path: Path) -> None:
        with Transcript(tmp_path / "runs.db") as transcript:
            with pytest.raises(TranscriptError, match="holds no run 'x'; it holds none yet"):
                transcript.load("x")
            run = transcript.begin("m", [Message("user", "go")])
            with pytest.raises(TranscriptError, match=f"the latest are {run.id}"):
                transcript.load("x")

    def test_a_locked_one_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mistralet.agents.transcript._LONGEST_WAIT", 0.01)
        with Transcript(tmp_path / "runs.db") as transcript:
            locker = sqlite3.connect(tmp_path / "runs.db", isolation_level=None)
            locker.execute("BEGIN IMMEDIATE")
            with pytest.raises(TranscriptError, match=r"runs\.db: another program holds it locked"):
                transcript.begin("m", [])
            locker.close()

    def test_another_programs_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "bookmarks.db"
        theirs = sqlite3.connect(path)
        theirs.execute("CREATE TABLE bookmarks (url TEXT)")
        theirs.commit()
        theirs.close()
        before = path.read_bytes()
        with pytest.raises(TranscriptError, match="is another program's database"):
            Transcript(path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize("content", [b"not a database, but long enough to be taken for one" * 99, b"\x00" * 5000])
    def test_what_is_no_database_is_refused(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_bytes(content)
        with pytest.raises(TranscriptError, match="is damaged or no transcript"):
            Transcript(path)
        assert path.read_bytes() == content

    def test_a_damaged_one_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "runs.db"
        with Transcript(path) as transcript:
            run = transcript.begin("m", [Message("user", "x" * 100_000)])
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xff" * (len(data) - 4096)
        path.write_bytes(data)
        with pytest.raises(TranscriptError, match=r"runs\.db: "), Transcript(path) as transcript:
            transcript.load(run.id)

    def test_a_newer_versions_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "runs.db"
        Transcript(path).close()
        database = sqlite3.connect(path)
        database.execute("PRAGMA user_version = 99")
        database.close()
        with pytest.raises(TranscriptError, match="newer mistralet"):
            Transcript(path)

    def test_a_place_that_cannot_be_written_is_refused(self) -> None:
        with pytest.raises(TranscriptError, match="cannot be used as a transcript"):
            Transcript("/no/such/folder/runs.db")
