"""`mistralet eval`: how well a model does on work whose right answers are known."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import platformdirs
import typer
from rich.console import Console
from rich.table import Table

from mistralet.cli.common import JsonOption, KVTypeOption, messages, print_json, progress_bar, start_early
from mistralet.cli.flow import ModelOption, UrlOption, asked_model, show_flow

if TYPE_CHECKING:
    from mistralet.evals.corpus import FileTruth
    from mistralet.evals.docs import Evaluation
    from mistralet.evals.tasks import Task

app = typer.Typer(no_args_is_help=True, help="How well a model does where the right answers are known.")


@app.callback()
def _group() -> None:
    """Keep `docs` a verb of its own, though it is the only one."""


@app.command()
def docs(
    model: ModelOption = None,
    url: UrlOption = None,
    corpus: Annotated[Path | None, typer.Option(help="Where the sample corpus is, or is to be made.")] = None,
    docvqa: Annotated[Path | None, typer.Option(help="DocVQA's folder: ask its questions instead.")] = None,
    chartqa: Annotated[Path | None, typer.Option(help="ChartQA's folder 'test': ask its questions instead.")] = None,
    limit: Annotated[int | None, typer.Option(help="Ask only so many questions of each suite.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget what an earlier run did.")] = False,
    kv_type: KVTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Questions about documents and charts, and forms: DocVQA's ANLS, ChartQA's accuracy, the F1 of fields.

    Without DocVQA or ChartQA it is the sample corpus that is asked about, which is made where it is missing. A run that
    was interrupted goes on where it was.
    """
    if url is None:
        start_early(model)
    import asyncio

    from mistralet.documents.journal import Journal
    from mistralet.evals.corpus import make_corpus
    from mistralet.evals.docs import corpus_forms, evaluate
    from mistralet.evals.tasks import chartqa_tasks, corpus_tasks, docvqa_tasks

    folder = corpus or platformdirs.user_cache_path("mistralet") / "corpus"
    tasks: list[Task] = []
    forms: list[tuple[Path, FileTruth]] = []
    if docvqa is not None:
        tasks += docvqa_tasks(docvqa)
    if chartqa is not None:
        tasks += chartqa_tasks(chartqa)
    if docvqa is None and chartqa is None:
        with progress_bar() as bar:
            task = bar.add_task("Making the corpus")
            truth = make_corpus(folder, progress=lambda done, total: bar.update(task, completed=done, total=total))
        tasks += corpus_tasks(folder, truth)
        forms += corpus_forms(folder, truth)[:limit]
    if limit is not None:
        suites = dict.fromkeys(task.suite for task in tasks)
        tasks = [task for suite in suites for task in [each for each in tasks if each.suite == suite][:limit]]
    asked = sorted(task.name for task in tasks) + sorted(truth.file for _, truth in forms)
    with asked_model(model, url, kv_type) as chat:
        work = {"model": chat.name, "questions": hashlib.sha256(json.dumps(asked).encode()).hexdigest()}
        name = hashlib.sha256(json.dumps(work).encode()).hexdigest()[:16]
        path = platformdirs.user_cache_path("mistralet") / "evals" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(Journal(path, work, restart)) as journal:
            result = asyncio.run(show_flow(evaluate(chat, tasks, forms, journal)))
    if as_json:
        print_json(asdict(result) | {"answers": path})
    else:
        _show(result)
        messages.print(f"Every answer is in {path}", style="dim", soft_wrap=True, markup=False)


def _show(result: Evaluation) -> None:
    table = Table(box=None, header_style="bold", title=result.model, title_justify="left")
    for column in ("suite", "metric", "score", "of"):
        table.add_column(column, justify="right" if column in ("score", "of") else "left")
    for score in result.scores:
        table.add_row(score.suite, score.metric, f"{100 * score.value:.2f}", f"{score.count:,}")
    Console(highlight=False).print(table)
    for line in result.skipped:
        messages.print(f"Left out: {line}", style="yellow")
