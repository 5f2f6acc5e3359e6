"""Evaluations: what is asked, what is left out, how it is scored, and that nothing is asked twice."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mistralet.chat import ImagePart, Message, TextPart
from mistralet.documents.journal import Journal
from mistralet.errors import DocumentError
from mistralet.evals.corpus import FileTruth, Truth, make_corpus
from mistralet.evals.docs import Evaluation, Score, corpus_forms, evaluate
from mistralet.evals.tasks import Task, chartqa_tasks, corpus_tasks, docvqa_tasks
from support.scripted_chat import ScriptedChat


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("corpus")
    return folder, make_corpus(folder, ["quarterly"])


def run(
    model: ScriptedChat, tasks: list[Task], journal: Path, forms: list[tuple[Path, FileTruth]] | None = None
) -> Evaluation:
    async def last() -> object:
        with closing(Journal(journal, {"model": model.name})) as kept:
            return [event async for event in evaluate(model, tasks, forms or [], kept)][-1]

    result = asyncio.run(last())
    assert isinstance(result, Evaluation)
    return result


def knowing(tasks: list[Task]) -> Any:
    """Says the right answer to each question."""
    answers = {f"{task.question}\n{task.prompt}": task.answers[0] for task in tasks}

    def answer(messages: list[Message]) -> str:
        asked = messages[-1].parts[-1]
        assert isinstance(asked, TextPart)
        return answers[asked.text]

    return answer


def test_right_answers_score_everything(report: tuple[Path, Truth], tmp_path: Path) -> None:
    tasks = list(corpus_tasks(*report))
    result = run(ScriptedChat([knowing(tasks)], reads_pictures=True), tasks, tmp_path / "j")
    assert result.scores == (
        Score("text", "ANLS", 1.0, 20),
        Score("text", "ANLS without threshold", 1.0, 20),
        Score("charts", "relaxed accuracy", 1.0, 20),
    )
    assert result.skipped == ()


def test_wrong_answers_score_nothing(report: tuple[Path, Truth], tmp_path: Path) -> None:
    tasks = list(corpus_tasks(*report))
    result = run(ScriptedChat(["qqqqqqqqqq"], reads_pictures=True), tasks, tmp_path / "j")
    assert [score.value for score in result.scores if score.metric != "ANLS without threshold"] == [0.0, 0.0]


def test_a_model_without_vision_reads_the_text_and_is_not_asked_of_charts(
    report: tuple[Path, Truth], tmp_path: Path
) -> None:
    tasks = list(corpus_tasks(*report))
    model = ScriptedChat([knowing(tasks)])
    result = run(model, tasks, tmp_path / "j")
    assert [score.suite for score in result.scores] == ["text", "text"]
    assert result.skipped == ("charts: the model reads no pictures",)
    first = model.requests[0].messages[0].parts[0]
    assert isinstance(first, TextPart)
    assert "sold for EUR" in first.text


def test_a_model_with_vision_sees_the_page_before_the_question(report: tuple[Path, Truth], tmp_path: Path) -> None:
    tasks = list(corpus_tasks(*report))[:1]
    model = ScriptedChat(["x"], reads_pictures=True)
    run(model, tasks, tmp_path / "j")
    picture, text = model.requests[0].messages[0].parts
    assert isinstance(picture, ImagePart)
    assert text == TextPart(f"{tasks[0].question}\nAnswer the question using a single word or phrase.")
    assert model.params[0].temperature == 0


def test_nothing_is_asked_twice(report: tuple[Path, Truth], tmp_path: Path) -> None:
    tasks = list(corpus_tasks(*report))
    first = run(ScriptedChat([knowing(tasks)], reads_pictures=True), tasks, tmp_path / "j")
    again = ScriptedChat([], reads_pictures=True)
    assert run(again, tasks, tmp_path / "j") == first
    assert again.requests == []


def test_forms_are_scored_by_their_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mistralet.evals.corpus.invoices._COUNT", 1)
    truth = make_corpus(tmp_path, ["invoices"])
    facts = {fact.name: fact.value for fact in truth.files[0].facts}
    model = ScriptedChat([json.dumps(facts | {"seller": "Nobody"})])
    result = run(model, [], tmp_path / "j", corpus_forms(tmp_path, truth))
    assert result.scores == (Score("invoices", "field F1", pytest.approx(8 / 9), 1),)
    assert result.skipped == ("scans: the model reads no pictures",)


def test_a_form_that_fails_has_no_right_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mistralet.evals.corpus.invoices._COUNT", 1)
    truth = make_corpus(tmp_path, ["invoices"])
    result = run(ScriptedChat(["no json"]), [], tmp_path / "j", corpus_forms(tmp_path, truth))
    assert result.scores == (Score("invoices", "field F1", 0.0, 1),)


def picture(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (30, 40), "white").save(path)


def test_docvqa_as_it_is_given_out(tmp_path: Path) -> None:
    picture(tmp_path / "documents" / "a.png")
    entry = {"questionId": 7, "question": "What?", "image": "documents/a.png", "answers": ["this", "that"]}
    (tmp_path / "val_v1.0_withQT.json").write_text(json.dumps({"data": [entry]}))
    (task,) = docvqa_tasks(tmp_path)
    assert (task.name, task.answers, task.max_tokens) == ("docvqa#7", ("this", "that"), 10)
    result = run(ScriptedChat(["That."], reads_pictures=True), [task], tmp_path / "j")
    assert result.scores[0] == Score("docvqa", "ANLS", 1.0, 1)


def test_chartqa_as_it_is_given_out(tmp_path: Path) -> None:
    picture(tmp_path / "png" / "a.png")
    entry = {"imgname": "a.png", "query": "How many?", "label": "100"}
    (tmp_path / "test_human.json").write_text(json.dumps([entry]))
    tasks = list(chartqa_tasks(tmp_path))
    result = run(ScriptedChat(["I count.\nFinal Answer: 103"], reads_pictures=True), tasks, tmp_path / "j")
    assert result.scores == (Score("chartqa", "relaxed accuracy", 1.0, 1),)


def test_folders_that_hold_something_else(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"no \.json"):
        list(docvqa_tasks(tmp_path))
    with pytest.raises(DocumentError, match=r"test_\*\.json"):
        list(chartqa_tasks(tmp_path))
    (tmp_path / "val.json").write_text("[]")
    with pytest.raises(DocumentError, match="not DocVQA's"):
        list(docvqa_tasks(tmp_path))
    (tmp_path / "val.json").write_text("{")
    with pytest.raises(DocumentError, match="cannot be read as JSON"):
        list(docvqa_tasks(tmp_path))
