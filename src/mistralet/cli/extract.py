"""`mistralet extract`: the fields of a schema, from one document or many."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mistralet.cli.common import JsonOption, KVTypeOption, messages, print_json, start_early
from mistralet.cli.flow import (
    ModelOption,
    OcrOption,
    UrlOption,
    asked_model,
    facts_of,
    opened_documents,
    show_flow,
    tell_unread,
)
from mistralet.cli.terminal import harmless
from mistralet.errors import UsageError

if TYPE_CHECKING:
    from mistralet.documents import Document, FlowEvent
    from mistralet.documents.extract import Extraction
    from mistralet.documents.extract_files import FileDone, RunResult
    from mistralet.documents.rapid_ocr import RapidOcr


def extract(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Documents, folders or patterns.")],
    schema: Annotated[str, typer.Option(help="A file with a JSON schema, FILE.py:CLASS, or pydantic:MODULE.CLASS.")],
    model: ModelOption = None,
    url: UrlOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write all results to a .jsonl, .csv or .parquet file.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget what an earlier run to this output did.")] = False,
    retry_errors: Annotated[bool, typer.Option("--retry-errors", help="Try files again that failed.")] = False,
    max_tokens: Annotated[int, typer.Option(help="Longest form, in tokens.")] = 1000,
    ocr: OcrOption = False,
    kv_type: KVTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fill in a form from each document; values come with their page and how sure the model was.

    With --output, a run that was interrupted goes on where it was when the same command is given again.
    """
    from mistralet.documents.extract_files import expanded
    from mistralet.documents.schemas import load_schema

    form = load_schema(schema)
    paths = expanded(files)
    if output is None and len(paths) > 1:
        raise UsageError(f"These are {len(paths)} files; say where their results go with --output results.jsonl.")
    if output is not None:
        from mistralet.documents.tables import check_output

        check_output(output)
    if url is None:
        start_early(model)
    if output is None:
        _one(paths[0], form, model, url, max_tokens, ocr, kv_type, as_json)
    else:
        _many(paths, form, model, url, output, restart, retry_errors, max_tokens, ocr, kv_type, as_json)


def _one(
    path: Path, form: dict[str, Any], model: str | None, url: str | None, max_tokens: int, ocr: bool, kv_type: Any,
    as_json: bool,
) -> None:  # fmt: skip
    import asyncio

    from mistralet.documents.extract import extract as extracted

    (document,) = opened_documents([path], ocr)
    with asked_model(model, url, kv_type) as chat:
        result = asyncio.run(show_flow(extracted(chat, document, form, max_tokens)))
    if as_json:
        print_json(facts_of(result, [document]))
    else:
        _show(result)


def _many(
    paths: list[Path], form: dict[str, Any], model: str | None, url: str | None, output: Path, restart: bool,
    retry_errors: bool, max_tokens: int, ocr: bool, kv_type: Any, as_json: bool,
) -> None:  # fmt: skip
    import asyncio

    from mistralet.documents.extract_files import extract_files, work_of
    from mistralet.documents.journal import Journal
    from mistralet.documents.rapid_ocr import RapidOcr
    from mistralet.documents.tables import write_table

    engine = RapidOcr() if ocr else None
    with asked_model(model, url, kv_type) as chat:
        journal = Journal(output.with_name(f"{output.name}.journal"), work_of(form, chat.name), restart)
        with closing(journal):
            try:
                run = extract_files(chat, paths, form, journal, max_tokens, retry_errors, _opener(engine))
                result = asyncio.run(show_flow(_without_files(run, engine)))
            except KeyboardInterrupt:
                messages.print("Stopped; the same command goes on where it was.", style="yellow")
                raise
            write_table(output, result.records)
    if as_json:
        facts = {"output": output, "done": result.done, "known": result.known, "failed": result.failed}
        unread = [page for record in result.records for page in record.get("unread_pages", ())]
        print_json(facts | {"unread_pages": unread})
    else:
        messages.print(f"{len(result.records)} files in {output}, {result.failed} of them failed.", soft_wrap=True)
    if result.failed:
        raise typer.Exit(1)


async def _without_files(
    events: AsyncGenerator[FlowEvent | FileDone | RunResult, None], engine: RapidOcr | None
) -> AsyncGenerator[FlowEvent | RunResult, None]:
    """What a run tells but for its files, of which those that failed, or were not read as a whole, are shown.

    Args:
        engine: is closed where the run ends, also by Ctrl-C: the threads that read with it end only then.
    """
    from mistralet.documents import UnreadPage
    from mistralet.documents.extract_files import FileDone

    with nullcontext() if engine is None else closing(engine):
        async for event in events:
            if not isinstance(event, FileDone):
                yield event
            elif "error" in event.record:
                messages.print(event.record["error"], style="yellow", soft_wrap=True, markup=False)
            else:
                tell_unread([UnreadPage(**page) for page in event.record["unread_pages"]])


def _opener(engine: RapidOcr | None) -> Callable[[Path], Document]:
    from mistralet.documents.ocr import with_text
    from mistralet.documents.opening import open_document

    return open_document if engine is None else lambda path: with_text(open_document(path), engine=engine)


def _show(result: Extraction) -> None:
    table = Table(box=None, header_style="bold")
    for name in ("field", "value", "page", "sure"):
        table.add_column(name, justify="right" if name in ("page", "sure") else "left")
    for field in result.fields:
        page = Text(str(field.citation.page)) if field.citation else Text("not found" if field.value else "", "yellow")
        sure = "" if field.confidence is None else f"{field.confidence:.0%}"
        value = "" if field.value is None else harmless(str(field.value))
        table.add_row(Text(field.path), Text(value), page, sure)
    Console(highlight=False).print(table)
    messages.print(f"{result.seconds:.1f} s", style="dim")
