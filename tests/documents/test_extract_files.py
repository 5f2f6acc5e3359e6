"""Runs over many files: none twice, none lost, whatever ends the run."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mistralet.chat import Message, TextPart
from mistralet.documents.extract_files import RunResult, expanded, extract_files, work_of
from mistralet.documents.journal import Journal
from mistralet.errors import DocumentError
from support.chat_server import FakeServer, Reply, chunk, serve
from support.pdf_files import locked_pdf
from support.scripted_chat import ScriptedChat, Turn

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"word": {"type": "string"}}}


def files(folder: Path, count: int) -> list[Path]:
    paths = [folder / f"{number}.txt" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_text(f"The word is w{number}.")
    return paths


def answer(messages: list[Message]) -> str:
    text = "".join(part.text for part in messages[-1].parts if isinstance(part, TextPart))
    return json.dumps({"word": text.split("word is ")[1].split(".")[0]})


def run(model: ScriptedChat, paths: list[Path], journal: Path, **options: Any) -> RunResult:
    async def last() -> object:
        with closing(Journal(journal, work_of(SCHEMA, model.name))) as kept:
            return [event async for event in extract_files(model, paths, SCHEMA, kept, **options)][-1]

    result = asyncio.run(last())
    assert isinstance(result, RunResult)
    return result


def test_every_file_has_its_record_in_their_order(tmp_path: Path) -> None:
    paths = files(tmp_path, 6)
    result = run(ScriptedChat([answer]), paths, tmp_path / "j")  # type: ignore[list-item]
    assert [record["file"] for record in result.records] == [str(path) for path in paths]
    assert [record["value"]["word"] for record in result.records] == [f"w{number}" for number in range(6)]
    assert (result.done, result.known, result.failed) == (6, 0, 0)


def test_a_second_run_does_only_what_is_new(tmp_path: Path) -> None:
    paths = files(tmp_path, 4)
    run(ScriptedChat([answer]), paths[:2], tmp_path / "j")  # type: ignore[list-item]
    paths[0].write_text("The word is changed.")
    model = ScriptedChat([answer])  # type: ignore[list-item]
    result = run(model, paths, tmp_path / "j")
    assert len(model.requests) == 3
    assert (result.done, result.known) == (3, 1)
    assert result.records[0]["value"] == {"word": "changed"}


def test_a_file_that_fails_is_noted_and_the_others_go_on(tmp_path: Path) -> None:
    paths = [*files(tmp_path, 2), tmp_path / "locked.pdf", tmp_path / "missing.pdf"]
    paths[2].write_bytes(locked_pdf())
    result = run(ScriptedChat([answer]), paths, tmp_path / "j")  # type: ignore[list-item]
    assert result.failed == 2
    assert "locked with a password" in result.records[2]["error"]
    assert "does not exist" in result.records[3]["error"]
    again = ScriptedChat([answer])  # type: ignore[list-item]
    assert run(again, paths, tmp_path / "j").done == 0
    assert run(again, paths, tmp_path / "j", retry_errors=True).done == 2


def test_what_was_done_before_an_interruption_is_kept(tmp_path: Path) -> None:
    paths = files(tmp_path, 5)
    model = ScriptedChat([lambda messages: Turn(answer(list(messages)), seconds=0.0)])

    async def leave() -> None:
        with closing(Journal(tmp_path / "j", work_of(SCHEMA, model.name))) as journal:
            stream = extract_files(model, paths, SCHEMA, journal)
            async for event in stream:
                if "FileDone" in type(event).__name__:
                    break
            await stream.aclose()

    asyncio.run(leave())
    kept = len((tmp_path / "j").read_bytes().splitlines()) - 1
    assert kept >= 1
    result = run(ScriptedChat([answer]), paths, tmp_path / "j")  # type: ignore[list-item]
    assert (result.known, result.done) == (kept, 5 - kept)
    assert len(result.records) == 5


def command(server: FakeServer, folder: Path) -> list[str]:
    (folder / "schema.json").write_text(json.dumps(SCHEMA))
    options = ["--schema", str(folder / "schema.json"), "--url", server.url, "-o", str(folder / "out.jsonl")]
    return [sys.executable, "-m", "mistralet", "extract", str(folder / "in"), *options]


def test_a_killed_run_does_no_file_twice_and_loses_none(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    files(tmp_path / "in", 8)
    reply = Reply([chunk(content='{"word": "x"}'), chunk("stop")])
    count = Reply(body=b'{"count": 5}')
    with serve() as server:
        server.answer = lambda path, _body: count if path == "/tokenize" else reply
        server.seconds = 0.15
        process = subprocess.Popen(command(server, tmp_path), stderr=subprocess.DEVNULL)
        journal = tmp_path / "out.jsonl.journal"
        while not journal.is_file() or journal.read_bytes().count(b"\n") < 4:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = len([line for line in journal.read_bytes().split(b"\n")[1:] if line.endswith(b"}")])
        assert not (tmp_path / "out.jsonl").exists()
        server.requests.clear()
        server.seconds = 0.0
        subprocess.run(command(server, tmp_path), stderr=subprocess.DEVNULL, check=True)
        asked = [body for body in server.requests if "messages" in body]
    assert len(asked) == 8 - before
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_bytes().splitlines()]
    assert [Path(record["file"]).name for record in records] == [f"{number}.txt" for number in range(8)]


class TestNames:
    def test_folders_and_patterns_stand_for_their_files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        paths = files(tmp_path, 3)
        (tmp_path / ".hidden").write_text("x")
        (tmp_path / "deeper").mkdir()
        inner = tmp_path / "deeper" / "a.txt"
        inner.write_text("x")
        assert expanded([str(tmp_path)]) == [*paths, inner]
        assert expanded([str(tmp_path / "*.txt")]) == paths
        assert expanded([str(paths[1]), str(paths[1])]) == [paths[1]]
        monkeypatch.chdir(tmp_path)
        assert expanded(["?.txt"]) == [Path(path.name) for path in paths]

    def test_what_stands_for_none_is_told(self, tmp_path: Path) -> None:
        for name in (str(tmp_path), str(tmp_path / "*.pdf")):
            with pytest.raises(DocumentError, match="holds no files"):
                expanded([name])
