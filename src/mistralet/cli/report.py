"""`mistralet report`: a report after an outline, with sources."""

from __future__ import annotations

import hashlib
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from mistralet.cli.common import JsonOption, KVTypeOption, messages, print_json, start_early
from mistralet.cli.flow import ModelOption, OcrOption, UrlOption, asked_model, facts_of, opened_documents, show_flow
from mistralet.errors import DocumentError, UsageError


def report(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Documents.")],
    outline: Annotated[str, typer.Option(help='A file with the sections, one a line, or "first; second; third".')],
    title: Annotated[str, typer.Option(help="Of the report.")] = "Report",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report, with its sources, to a .md or .pdf file.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Write sections again that an earlier run wrote.")] = False,
    model: ModelOption = None,
    url: UrlOption = None,
    ocr: OcrOption = False,
    kv_type: KVTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a report from documents, section by section; each sentence has its source.

    With --output, a run that was interrupted goes on with the section it was at.
    """
    from mistralet.documents.report import outline_of

    if output is not None and output.suffix.lower() not in (".md", ".pdf"):
        raise UsageError(f"{output} ends neither in .md nor in .pdf, which say what to write; add one.")
    titles = outline_of(_outline(outline))
    if url is None:
        start_early(model)
    import asyncio

    from mistralet.documents.journal import Journal
    from mistralet.documents.report import markdown
    from mistralet.documents.report import report as written_report

    documents = opened_documents(files, ocr)
    with asked_model(model, url, kv_type) as chat:
        about = repr([titles, [document.digest for document in documents]]).encode()
        work = {"report": hashlib.sha256(about).hexdigest(), "model": chat.name}
        journal = None if output is None else Journal(output.with_name(f"{output.name}.journal"), work, restart)
        with nullcontext() if journal is None else closing(journal):
            flow = written_report(chat, documents, titles, journal)
            written = asyncio.run(show_flow(flow, shows_text=not as_json))
    if as_json:
        print_json(facts_of(written, documents))
    if output is None:
        return
    if output.suffix.lower() == ".pdf":
        from mistralet.documents.report_pdf import report_pdf

        data = report_pdf(written, title)
    else:
        data = markdown(written, title).encode()
    from mistralet.files import write_atomically

    try:
        write_atomically(output, data)
    except OSError as error:
        raise DocumentError(f"{output} cannot be written: {error.strerror}; choose another place.") from error
    messages.print(f"{len(titles)} sections, {len(written.sources)} sources in {output}", style="dim", markup=False)


def _outline(given: str) -> str:
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8") if len(given) < 256 and path.is_file() else given
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{given} cannot be read as text; name a file with the sections.") from error
