"""`mistralet summarize`: what a document says in few words."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mistralet.cli.common import JsonOption, KVTypeOption, messages, print_json, start_early
from mistralet.cli.flow import ModelOption, OcrOption, UrlOption, asked_model, facts_of, opened_documents, show_flow
from mistralet.errors import DocumentError, UsageError


def summarize(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A document.")],
    length: Annotated[str, typer.Option(help="short, medium, long, or a number of words.")] = "medium",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the summary with its pages to this Markdown file.")
    ] = None,
    model: ModelOption = None,
    url: UrlOption = None,
    ocr: OcrOption = False,
    kv_type: KVTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Summarise a document, with the page of each statement."""
    words = _words(length)
    if url is None:
        start_early(model)
    import asyncio

    from mistralet.documents.summarize import summarize as summarized
    from mistralet.documents.summarize import with_pages
    from mistralet.files import write_atomically

    (document,) = opened_documents([file], ocr)
    with asked_model(model, url, kv_type) as chat:
        summary = asyncio.run(show_flow(summarized(chat, document, words), shows_text=not as_json))
    if as_json:
        print_json(facts_of(summary, [document]))
    else:
        sys.stdout.write("\n")
        sys.stdout.flush()
        pages = sorted({citation.page for statement in summary.statements for citation in statement.citations})
        messages.print(f"From pages {', '.join(map(str, pages)) or '–'} · {summary.seconds:.1f} s", style="dim")
    if output is not None:
        try:
            write_atomically(output, f"# {document.name}\n\n{with_pages(summary)}\n".encode())
        except OSError as error:
            raise DocumentError(f"{output} cannot be written: {error.strerror}; choose another place.") from error


def _words(length: str) -> int:
    from mistralet.documents.summarize import LENGTHS

    if length in LENGTHS:
        return LENGTHS[length]
    if length.isdecimal() and 10 <= int(length) <= 5000:
        return int(length)
    raise UsageError(f"--length is {length}, but must be short, medium, long, or a number of words from 10 to 5000.")
