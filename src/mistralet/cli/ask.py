"""`mistralet ask`: a question about documents."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from mistralet.cli.common import JsonOption, KVTypeOption, messages, print_json, read_stdin, start_early
from mistralet.cli.flow import ModelOption, OcrOption, UrlOption, asked_model, facts_of, opened_documents, show_flow
from mistralet.errors import UsageError

if TYPE_CHECKING:
    from mistralet.documents import Citation, Document
    from mistralet.documents.ask import Answer


def ask(
    files: Annotated[list[str], typer.Argument(metavar="FILE... QUESTION", help="Documents, then the question.")],
    model: ModelOption = None,
    url: UrlOption = None,
    max_tokens: Annotated[int, typer.Option(help="Longest answer, in tokens.")] = 400,
    highlight: Annotated[
        Path | None, typer.Option(help="Write the PDF with the cited places marked; a folder for several.")
    ] = None,
    ocr: OcrOption = False,
    embeddings: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="Find pages by meaning, too: a sentence-transformers model or its folder."),
    ] = None,
    kv_type: KVTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question about documents, with the pages it rests on; "-" reads the question from standard input."""
    *names, question = files
    if not names:
        raise UsageError('Give a file and a question: mistralet ask FILE "What does it say?"')
    if Path(question).is_file():
        raise UsageError(f'{question} is a file; put the question last: mistralet ask {question} "What does it say?"')
    if question == "-":
        question = read_stdin("There is no question; give one, or pipe one in.")
    if url is None:
        start_early(model)
    import asyncio

    from mistralet.documents.ask import ask as answered
    from mistralet.documents.meanings import sentence_transformer

    meanings = sentence_transformer(embeddings) if embeddings is not None else None
    documents = opened_documents([Path(name) for name in names], ocr)
    with asked_model(model, url, kv_type) as chat:
        events = answered(chat, documents, question, max_tokens, meanings)
        answer = asyncio.run(show_flow(events, shows_text=not as_json))
    if as_json:
        print_json(facts_of(answer, documents))
    else:
        _show_sources(answer)
    if highlight is not None:
        _write_highlighted(documents, answer, highlight)


def _show_sources(answer: Answer) -> None:
    sys.stdout.write("\n")
    sys.stdout.flush()
    sources: dict[Citation, list[int]] = {}
    for number, statement in enumerate(answer.statements, 1):
        for citation in statement.citations:
            sources.setdefault(citation, []).append(number)
    for citation, numbers in sources.items():
        where = f"{citation.document}, page {citation.page}: "
        messages.print(f"\\[{', '.join(map(str, numbers))}] {escape(where)}", style="cyan", end="")
        messages.print(f"“{' '.join(citation.quote.split())}”", style="dim", soft_wrap=True, markup=False)
    unsupported = [str(number) for number, each in enumerate(answer.statements, 1) if not each.citations]
    if unsupported and sources:
        messages.print(f"\\[{', '.join(unsupported)}] no source found", style="yellow")
    if not sources:
        messages.print("No source was found in the pages that were read.", style="yellow")
    if answer.nearest:
        places = ", ".join(f"{citation.document} page {citation.page}" for citation in answer.nearest)
        messages.print(f"Nearest to the question: {places}", style="dim", soft_wrap=True, markup=False)
    cached = f", {answer.cached_tokens:,} of them known already" if answer.cached_tokens else ""
    messages.print(
        f"{answer.prompt_tokens:,} tokens read{cached} · first word after {answer.first_token_seconds:.2f} s · "
        f"{answer.seconds:.1f} s in all",
        style="dim",
    )


def _write_highlighted(documents: Sequence[Document], answer: Answer, path: Path) -> None:
    from mistralet.documents.highlight import write_highlighted

    citations = [citation for statement in answer.statements for citation in statement.citations]
    if len(documents) == 1:
        targets = [path]
    else:
        path.mkdir(parents=True, exist_ok=True)
        targets = [path / document.name for document in documents]
    for document, target in zip(documents, targets, strict=True):
        write_highlighted(document, citations, target)
        messages.print(f"Marked in {target}", style="dim", soft_wrap=True, markup=False)
