"""`python -m bench.ask`: how soon a second question about a document is answered, and whether its page is told.

Each process asks two questions of one document that nearly fills the model's context; the second process finds what the
first one left on the disk. The manual does not fit, and is asked of by retrieval.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.bars import Chapter, Figure
from bench.command import run_command
from bench.report import Row
from mistralet.chat import chat_format
from mistralet.chat.local import LocalChat
from mistralet.documents import Document
from mistralet.documents.ask import Answer, ask
from mistralet.documents.opening import open_document
from mistralet.engine import Engine, KVLibrary, load
from mistralet.evals.corpus import FileTruth, load_truth, make_corpus
from mistralet.hub import resolve

_QUESTIONS = (
    "What is the order number of the feed pump?",
    "How many screws hold the steam boiler?",
)
_FULL = 0.9  # of the context
_BAR = 10.0
_ANSWER = 40  # tokens
_PAGES_BAR = 45  # of 50 questions


def main(
    model: Annotated[str, typer.Option(help="A folder, file, alias or repository id.")] = "tiny",
    questions: Annotated[int, typer.Option(help="Questions about the manual; 0: none.")] = 50,
    rounds: Annotated[int, typer.Option(help="Measurements of each wait.")] = 3,
    process: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Measure questions about documents."""
    if process is not None:
        _waits(model, process)
        return
    console = Console(width=160, highlight=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_corpus(folder / "corpus", ["manual"])
        _second_questions(model, folder, rounds).show(console)
        if questions:
            _cited_pages(model, folder, questions).show(console)


def _second_questions(model: str, folder: Path, rounds: int) -> Chapter:
    waits: dict[str, list[float]] = {"first": [], "second": [], "restarted": [], "restarted second": []}
    tokens = 0
    for turn in range(rounds):
        kept = folder / f"kv-{turn}"
        kept.mkdir()
        for names in (("first", "second"), ("restarted", "restarted second")):
            command = [sys.executable, "-m", "bench.ask", "--model", model, "--process", str(kept)]
            told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            tokens = told["tokens"]
            for each, seconds in zip(names, told["seconds"], strict=True):
                waits[each].append(seconds)

    def figure(name: str, key: str) -> Figure:
        return Figure(Row(name, "s", waits[key], waits["first"], lower_is_better=True), "the first question", _BAR)

    return Chapter(
        f"Questions about a document of {tokens:,} tokens",
        [
            Figure(Row("first question", "s", waits["first"])),
            figure("second question", "second"),
            figure("first question after a restart", "restarted"),
        ],
        notes=[
            f"Seconds until the first word of the answer; another process and an empty library each of {rounds} rounds."
        ],
        raw=waits,
    )


def _cited_pages(model: str, folder: Path, questions: int) -> Chapter:
    (truth,) = load_truth(folder / "corpus").of_kind("manual")
    document = open_document(folder / "corpus" / truth.file)
    with _chat(model, folder / "kv-manual") as chat:
        answers = [_answer(chat, document, each.question) for each in truth.questions[:questions]]
    told = [_pages(answer, with_nearest=True) for answer in answers]
    by_statements = [_pages(answer, with_nearest=False) for answer in answers]
    return Chapter(
        f"{len(answers)} questions about a manual of {truth.pages} pages",
        [
            Figure(Row("right page among those named", "", [_hits(truth, told)])),
            Figure(Row("right page among the statements' sources", "", [_hits(truth, by_statements)])),
        ],
        notes=[
            f"At least {_PAGES_BAR} of 50 is the bar for the first. It counts the sources of statements and the pages "
            "that are named as nearest to the question (three at most).",
        ],
    )


def _hits(truth: FileTruth, told: list[set[int]]) -> float:
    return float(sum(question.page in pages for question, pages in zip(truth.questions, told, strict=False)))


def _pages(answer: Answer, with_nearest: bool) -> set[int]:
    cited = [citation for statement in answer.statements for citation in statement.citations]
    return {citation.page for citation in (*cited, *(answer.nearest if with_nearest else ()))}


def _waits(model: str, folder: Path) -> None:
    """Ask in this process; tell how long each first word took."""
    manual = open_document(folder.parent / "corpus" / "manual.pdf")
    with _chat(model, folder) as chat:
        document = _filling(chat, manual)
        answers = [_answer(chat, document, question) for question in _QUESTIONS]
    told = {"tokens": answers[0].prompt_tokens, "seconds": [answer.first_token_seconds for answer in answers]}
    sys.stdout.write(json.dumps(told))


def _filling(chat: LocalChat, manual: Document) -> Document:
    """As many of the manual's pages as fill the context but for a tenth."""
    facts = asyncio.run(chat.facts())
    sizes = asyncio.run(chat.count_tokens([page.text for page in manual.pages]))
    room, pages = facts.context * _FULL - _ANSWER, []
    for page, size in zip(manual.pages, sizes, strict=True):
        room -= size + 20
        if room < 0:
            break
        pages.append(page)
    return replace(manual, pages=pages)


def _answer(chat: LocalChat, document: Document, question: str) -> Answer:
    async def last() -> Answer:
        events = [event async for event in ask(chat, [document], question, _ANSWER)]
        assert isinstance(events[-1], Answer)
        return events[-1]

    return asyncio.run(last())


@contextmanager
def _chat(model: str, folder: Path) -> Iterator[LocalChat]:
    loaded = load(resolve(model).path)
    library = KVLibrary(folder, model=model)
    engine = Engine(loaded.model, loaded.tokenizer, name=loaded.identity, library=library)
    chat = LocalChat(engine, chat_format(loaded.tokenizer, loaded.model.config.vision), model)
    with closing(library), closing(engine), closing(chat):
        yield chat


if __name__ == "__main__":
    run_command(main, "ask")
