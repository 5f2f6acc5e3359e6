"""`mistralet compare`: what changed between two versions of a document."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from mistralet.cli.common import JsonOption, KVTypeOption, messages, print_json, start_early
from mistralet.cli.flow import ModelOption, OcrOption, UrlOption, asked_model, facts_of, opened_documents, show_flow
from mistralet.cli.terminal import harmless
from mistralet.errors import DocumentError

if TYPE_CHECKING:
    from mistralet.documents.compare import Comparison, RatedChange

_STYLES = {"high": "bold red", "medium": "yellow", "low": "cyan", "cosmetic": "dim"}


def compare(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The earlier version.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The later version.")],
    model: ModelOption = None,
    url: UrlOption = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="Only find what changed; explain nothing.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write both versions side by side as an HTML file.")] = None,
    ocr: OcrOption = False,
    kv_type: KVTypeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what changed between two versions of a contract, what it means, and how much it matters."""
    if url is None and not no_model:
        start_early(model)
    import asyncio

    from mistralet.documents.compare import compare as compared

    documents = opened_documents([old, new], ocr)
    with nullcontext() if no_model else asked_model(model, url, kv_type) as chat:
        result = asyncio.run(show_flow(compared(chat, *documents)))
    if as_json:
        facts = facts_of(result, documents)
        del facts["pairs"]
        print_json(facts)
    else:
        _show(result)
    if html is not None:
        _write_page(result, html)


def _write_page(comparison: Comparison, path: Path) -> None:
    from mistralet.documents.compare_page import compare_page
    from mistralet.files import write_atomically

    try:
        write_atomically(path, compare_page(comparison).encode())
    except OSError as error:
        raise DocumentError(f"{path} cannot be written: {error.strerror or error}; choose another place.") from error
    messages.print(f"Side by side in {path}", style="dim", soft_wrap=True, markup=False)


def _show(comparison: Comparison) -> None:
    console = Console(highlight=False)
    if not comparison.changes:
        console.print("Nothing changed.")
    for number, rated in enumerate(comparison.changes, 1):
        _show_change(console, number, rated)


def _show_change(console: Console, number: int, rated: RatedChange) -> None:
    from mistralet.documents.alignment import marks

    change = rated.change
    pages = " → ".join(f"p. {side[0].page}" if side else "–" for side in (change.old, change.new))
    head = Text.assemble((f"{number}. {change.kind}", "bold"), (f"  {pages}", "dim"))
    if rated.importance is not None:
        head.append(f"  {rated.importance}", _STYLES[rated.importance])
    if rated.topic is not None:
        head.append(f" · {rated.topic}", "dim")
    console.print(head)
    if change.kind in ("changed", "cosmetic"):
        body = Text()
        for side, text in marks(change.old_text, change.new_text):
            style = {"same": "", "old": "red strike", "new": "green"}[side]
            body.append(harmless(text), style)
    else:
        style = {"added": "green", "removed": "red strike", "moved": "blue"}[change.kind]
        body = Text(harmless(change.new_text or change.old_text), style)
    console.print(body)
    if rated.explanation:
        console.print(Text(f"→ {harmless(rated.explanation)}", "italic"))
    console.print()
