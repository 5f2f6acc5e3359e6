"""The verbs over documents: what a person sees, what a program reads, and what is refused."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console

from mistralet.cli import common, flow
from mistralet.cli.main import main
from mistralet.documents import Planned, Progress, TextDelta
from mistralet.documents.opening import open_document
from support.chat_server import FakeServer, Reply, chunk, serve
from support.pdf_files import damaged, pdf


class Run(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Run]
LEASE = "The rent is 900 euros a month. The landlord repairs the roof."


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["mistralet", *map(str, arguments)])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Run(code, *capsys.readouterr())

    return run


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serve() as fake:
        yield fake


def says(server: FakeServer, *texts: str) -> None:
    """Answer chats with texts, one after the other, the last for ever; count tokens by words."""
    left = list(texts)

    def answer(path: str, body: Any) -> Reply:
        if path == "/tokenize":
            return Reply(body=json.dumps({"count": len(body["prompt"].split())}).encode())
        text = left.pop(0) if len(left) > 1 else left[0]
        return Reply([chunk(content=text), chunk("stop")])

    server.answer = answer


@pytest.fixture
def lease(tmp_path: Path) -> Path:
    path = tmp_path / "lease.txt"
    path.write_text(LEASE)
    return path


class TestAsk:
    def test_the_answer_and_its_source_are_shown(self, command: Command, server: FakeServer, lease: Path) -> None:
        says(server, "The rent is 900 euros a month.")
        told = command("ask", lease, "How high is the rent?", "--url", server.url)
        assert told.code == 0
        assert told.out == "The rent is 900 euros a month.\n"
        assert "[1] lease.txt, page 1: “The rent is 900 euros a month.”" in " ".join(told.err.split())
        assert "all of it is read" in told.err

    def test_json(self, command: Command, server: FakeServer, lease: Path) -> None:
        says(server, "The landlord repairs the roof.")
        told = json.loads(command("ask", lease, "Who repairs?", "--url", server.url, "--json").out)
        assert told["statements"][0]["citations"][0]["quote"] == "The landlord repairs the roof."
        assert told["pages"] == [["lease.txt", 1]]

    def test_a_marked_copy(self, command: Command, server: FakeServer, tmp_path: Path) -> None:
        (tmp_path / "a.pdf").write_bytes(pdf("The rent is 900."))
        says(server, "The rent is 900.")
        out = tmp_path / "marked.pdf"
        assert command("ask", tmp_path / "a.pdf", "Rent?", "--url", server.url, "--highlight", out).code == 0
        assert open_document(out).page(1).text == "The rent is 900."

    def test_a_damaged_page_is_told_and_the_others_are_read(
        self, command: Command, server: FakeServer, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.pdf"
        path.write_bytes(damaged(pdf("one", "two", "The rent is 900."), 2))
        says(server, "The rent is 900.")
        told = command("ask", path, "Rent?", "--url", server.url)
        assert "Page 2 of a.pdf was not read: it is damaged; get the file again." in told.err
        assert "[1] a.pdf, page 3:" in told.err
        told = command("ask", path, "Rent?", "--url", server.url, "--json")
        assert json.loads(told.out)["unread_pages"] == [
            {"document": "a.pdf", "page": 2, "why": "it is damaged; get the file again"}
        ]

    def test_of_many_damaged_pages_the_first_are_told(
        self, command: Command, server: FakeServer, tmp_path: Path
    ) -> None:
        path = tmp_path / "a.pdf"
        path.write_bytes(damaged(pdf("The rent is 900.", *["lost"] * 7), *range(2, 9)))
        says(server, "The rent is 900.")
        told = command("ask", path, "Rent?", "--url", server.url).err.splitlines()
        assert [line for line in told if "not read" in line] == [
            *(f"Page {page} of a.pdf was not read: it is damaged; get the file again." for page in range(2, 7)),
            "2 more pages were not read.",
        ]

    def test_what_is_missing_is_told(self, command: Command, lease: Path) -> None:
        for arguments in (("What?",), (lease, lease)):
            told = command("ask", *arguments, "--url", "http://127.0.0.1:9")
            assert told.code == 2
            assert "question" in told.err

    def test_a_file_that_cannot_be_read(self, command: Command, tmp_path: Path) -> None:
        told = command("ask", tmp_path / "none.pdf", "What?", "--url", "http://127.0.0.1:9")
        assert (told.code, told.out) == (2, "")
        assert "does not exist" in told.err


class TestExtract:
    @pytest.fixture
    def schema(self, tmp_path: Path) -> Path:
        path = tmp_path / "form.json"
        path.write_text(json.dumps({"type": "object", "properties": {"rent": {"type": "number"}}}))
        return path

    def test_one_file_is_a_table(self, command: Command, server: FakeServer, lease: Path, schema: Path) -> None:
        says(server, '{"rent": 900}')
        told = command("extract", lease, "--schema", schema, "--url", server.url)
        assert told.code == 0
        assert told.out.split() == ["field", "value", "page", "sure", "rent", "900", "1"]

    def test_one_file_as_json(self, command: Command, server: FakeServer, lease: Path, schema: Path) -> None:
        says(server, '{"rent": 901}')
        told = json.loads(command("extract", lease, "--schema", schema, "--url", server.url, "--json").out)
        assert told["value"] == {"rent": 901}
        assert told["fields"][0]["found"] is False

    def test_many_files_are_a_file_of_results(
        self, command: Command, server: FakeServer, lease: Path, schema: Path, tmp_path: Path
    ) -> None:
        says(server, '{"rent": 900}')
        options = ("--schema", schema, "--url", server.url, "-o", tmp_path / "out.csv")
        told = command("extract", lease, tmp_path / "none.pdf", *options)
        assert told.code == 1  # one failed
        assert "does not exist" in told.err
        rows = list(csv.DictReader((tmp_path / "out.csv").read_text("utf-8-sig").splitlines()))
        assert [row["rent"] for row in rows] == ["900", ""]
        asked = len(server.requests)
        assert command("extract", lease, *options).code == 0
        assert len(server.requests) == asked  # it was known

    def test_damaged_pages_are_told_with_their_file(
        self, command: Command, server: FakeServer, lease: Path, schema: Path, tmp_path: Path
    ) -> None:
        says(server, '{"rent": 900}')
        path = tmp_path / "a.pdf"
        path.write_bytes(damaged(pdf("The rent is 900.", "lost"), 2))
        why = {"document": "a.pdf", "page": 2, "why": "it is damaged; get the file again"}
        one = command("extract", path, "--schema", schema, "--url", server.url, "--json")
        assert json.loads(one.out)["unread_pages"] == [why]
        options = ("--schema", schema, "--url", server.url)
        many = command("extract", path, lease, *options, "-o", tmp_path / "out.jsonl", "--json")
        assert many.err.count("Page 2 of a.pdf was not read: it is damaged") == 1
        assert json.loads(many.out)["unread_pages"] == [why]
        records = list(map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines()))
        assert [record["unread_pages"] for record in records] == [[why], []]
        command("extract", path, lease, *options, "-o", tmp_path / "out.csv")
        rows = list(csv.DictReader((tmp_path / "out.csv").read_text("utf-8-sig").splitlines()))
        assert [row["unread pages"] for row in rows] == ["2", ""]

    def test_many_files_need_a_place(self, command: Command, lease: Path, schema: Path) -> None:
        told = command("extract", lease, schema, "--schema", schema, "--url", "http://127.0.0.1:9")
        assert told.code == 2
        assert "--output" in told.err


class TestCompare:
    def test_changes_are_shown_and_written_down(self, command: Command, server: FakeServer, tmp_path: Path) -> None:
        (tmp_path / "old.txt").write_text("1. The rent is 900 a month, paid on the first day.")
        (tmp_path / "new.txt").write_text("1. The rent is 950 a month, paid on the first day.")
        says(server, json.dumps({"explanation": "It rises.", "importance": "high", "topic": "amount"}))
        page = tmp_path / "out.html"
        told = command("compare", tmp_path / "old.txt", tmp_path / "new.txt", "--url", server.url, "--html", page)
        assert told.code == 0
        assert "1. changed" in told.out
        assert "→ It rises." in told.out
        assert "<ins>950</ins>" in page.read_text()

    def test_damaged_pages_are_told(self, command: Command, tmp_path: Path) -> None:
        path = tmp_path / "a.pdf"
        path.write_bytes(damaged(pdf("one", "two"), 2))
        told = command("compare", path, path, "--no-model", "--json")
        assert [page["page"] for page in json.loads(told.out)["unread_pages"]] == [2, 2]

    def test_without_a_model(self, command: Command, lease: Path) -> None:
        assert command("compare", lease, lease, "--no-model").out == "Nothing changed.\n"


class TestSummarize:
    def test_pages_are_told(self, command: Command, server: FakeServer, lease: Path, tmp_path: Path) -> None:
        says(server, "The rent is 900 euros a month.")
        told = command("summarize", lease, "--url", server.url, "-o", tmp_path / "out.md")
        assert told.out == "The rent is 900 euros a month.\n"
        assert (tmp_path / "out.md").read_text() == "# lease.txt\n\nThe rent is 900 euros a month. (p. 1)\n"

    @pytest.mark.parametrize("length", ["huge", "3", "-1"])
    def test_lengths_that_are_none(self, command: Command, lease: Path, length: str) -> None:
        assert command("summarize", lease, f"--length={length}").code == 2


def test_text_goes_to_standard_output_though_a_bar_was_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Console(stderr=True, force_terminal=True, width=80)
    monkeypatch.setattr(common, "messages", terminal)
    monkeypatch.setattr(flow, "messages", terminal)

    async def events() -> AsyncGenerator[Any, None]:
        yield Planned("a plan")
        yield Progress("Working", 1, 2)
        yield TextDelta("no line's end")
        yield TextDelta(" \x1b[2Jyet")
        yield Progress("Working", 2, 2)
        yield 42

    assert asyncio.run(flow.show_flow(events())) == 42
    told = capsys.readouterr()
    assert told.out == "no line's end \N{REPLACEMENT CHARACTER}[2Jyet"
    assert "Working" in told.err
