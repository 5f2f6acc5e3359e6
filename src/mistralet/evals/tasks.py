"""What is asked of a model about documents, and how its answers are scored: each question is a `Task`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mistralet.documents import Document, Page
from mistralet.documents.opening import open_document
from mistralet.errors import DocumentError
from mistralet.evals.corpus import Truth

# The wording of Mistral AI's evaluations for DocVQA, with its 10 tokens and temperature 0; that for ChartQA is our own.
SHORT = "Answer the question using a single word or phrase."
_REASONED = (
    "Look at the chart closely and work the answer out step by step. Take labels exactly as the chart has them, write "
    "numbers without units, ratios as decimals, and Yes or No where that is asked. End with a line of the form\n"
    "Final Answer: <a single phrase or number>"
)


@dataclass(frozen=True)
class Task:
    """A question about one page."""

    name: str  # of the question: no two of a run have the same
    suite: str  # "docvqa", "chartqa"; those of the corpus "text", "scanned text", "charts"
    source: Callable[[], tuple[Document, Page]]
    question: str
    answers: tuple[str, ...]
    prompt: str  # what stands below the question
    max_tokens: int
    as_picture: bool  # the page is shown, not its text


def corpus_tasks(folder: Path, truth: Truth) -> Iterator[Task]:
    """The questions of the corpus: those whose answers stand in a text, those of scans, and those of charts."""
    for file in truth.files:
        for number, question in enumerate(file.questions):
            suite = "charts" if question.of_chart else "scanned text" if file.kind == "scan" else "text"
            yield Task(
                f"{file.file}#{number}",
                suite,
                lambda path=folder / file.file, page=question.page: _page(path, page),  # type: ignore[misc]
                question.question,
                question.answers,
                SHORT,
                20,
                as_picture=suite != "text",
            )


def docvqa_tasks(folder: Path) -> Iterator[Task]:
    """The questions of DocVQA, in the form in which it is given out: one `val*.json` or `test*.json`, and the pages.

    Raises:
        DocumentError: they are not there.
    """
    path, told = _json_in(folder, "*val*.json", "*.json")
    entries = told.get("data") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise DocumentError(f"{path} is not DocVQA's file of questions; it has no list under 'data'.")
    for entry in entries:
        picture = folder / str(entry["image"])
        yield Task(
            f"docvqa#{entry['questionId']}",
            "docvqa",
            lambda picture=picture: _page(picture, 1),  # type: ignore[misc]
            entry["question"],
            tuple(entry.get("answers") or ()),
            SHORT,
            10,
            as_picture=True,
        )


def chartqa_tasks(folder: Path) -> Iterator[Task]:
    """The questions of ChartQA, in the form in which it is given out: `test_*.json` and the folder `png`.

    Raises:
        DocumentError: they are not there.
    """
    files = sorted(folder.glob("test_*.json"))
    if not files:
        raise DocumentError(f"{folder} holds no test_*.json; give ChartQA's folder 'test'.")
    for file in files:
        for number, entry in enumerate(_read(file)):
            picture = folder / "png" / str(entry["imgname"])
            yield Task(
                f"chartqa#{file.stem}#{number}",
                "chartqa",
                lambda picture=picture: _page(picture, 1),  # type: ignore[misc]
                entry["query"],
                (str(entry["label"]),),
                _REASONED,
                2048,
                as_picture=True,
            )


@cache
def _opened(path: Path) -> Document:
    return open_document(path)


def _page(path: Path, number: int) -> tuple[Document, Page]:
    document = _opened(path)
    return document, document.page(number)


def _json_in(folder: Path, *patterns: str) -> tuple[Path, Any]:
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if found:
            return found[0], _read(found[0])
    raise DocumentError(f"{folder} holds no .json file of questions; give the folder that does.")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DocumentError(f"{path} cannot be read as JSON ({error}); get it again.") from error
