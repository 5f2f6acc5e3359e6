"""What the verbs over documents share: the model they ask, and how their work is shown."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.progress import TaskID

from mistralet.cli.common import messages, open_model, progress_bar, remote_model
from mistralet.cli.terminal import harmless
from mistralet.config import KVType

if TYPE_CHECKING:
    from mistralet.chat import ChatModel
    from mistralet.documents import Document, FlowEvent, UnreadPage

ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="A folder, file, alias or repository id; a name, with --url.")
]
UrlOption = Annotated[str | None, typer.Option(help="An OpenAI-compatible server to ask instead.")]

OcrOption = Annotated[bool, typer.Option("--ocr", help="Read scanned pages by OCR, for models without vision.")]

Result = TypeVar("Result")

_TOLD_PAGES = 5  # of those that were not read; a file may have thousands


@contextmanager
def asked_model(name: str | None, url: str | None, kv_type: KVType | None = None) -> Iterator[ChatModel]:
    """The model that a verb asks: one that is opened here and keeps long prompts on disk, or one behind a URL."""
    if url is not None:
        yield remote_model(url, name, kv_type)
        return
    opened = open_model(name, kv_type, keeps_prompts=True)
    from mistralet.chat.local import LocalChat

    model = LocalChat(opened.engine, opened.chat, opened.name)
    assert opened.engine.library is not None
    with closing(opened.engine.library), closing(opened.engine), closing(model):
        yield model


def opened_documents(paths: Sequence[Path], ocr: bool) -> list[Document]:
    """Documents of files, showing how far it is, and what pages were not read.

    Raises:
        DocumentError: one cannot be opened.
    """
    from mistralet.documents.ocr import with_text
    from mistralet.documents.opening import open_document
    from mistralet.documents.rapid_ocr import RapidOcr

    documents = []
    with progress_bar() as bar, closing(RapidOcr()) if ocr else nullcontext() as engine:
        task = bar.add_task("Opening files", total=len(paths))
        for path in paths:
            document = open_document(path)
            documents.append(with_text(document, engine=engine) if engine is not None else document)
            bar.advance(task)
    for document in documents:
        tell_unread(document.unread_pages)
    return documents


def tell_unread(pages: Sequence[UnreadPage]) -> None:
    """Say that pages of a document were not read."""
    told = [str(page) for page in pages[:_TOLD_PAGES]]
    more = len(pages) - len(told)
    if more:
        told.append(f"{more} more page{'s were' if more > 1 else ' was'} not read.")
    for line in told:
        messages.print(harmless(line), style="yellow", soft_wrap=True, markup=False)


def facts_of(result: Any, documents: Sequence[Document]) -> dict[str, Any]:
    """What is told as JSON: a flow's result, and what of its documents was not read."""
    unread = [asdict(page) for document in documents for page in document.unread_pages]
    return asdict(result) | {"unread_pages": unread}


async def show_flow(events: AsyncGenerator[FlowEvent | Result, None], shows_text: bool = True) -> Result:
    """Show a flow's work as it happens; returns its result, which comes last.

    Args:
        shows_text: text goes to standard output as it is written; all else goes beside it.
    """
    from mistralet.documents import Planned, Progress, TextDelta

    result: Result | None = None
    tasks: dict[str, TaskID] = {}
    bar = progress_bar()
    try:
        async for event in events:
            match event:
                case Planned(plan):
                    messages.print(harmless(plan), style="dim", soft_wrap=True, markup=False)
                case Progress(stage, done, total):
                    if stage not in tasks:
                        tasks[stage] = bar.add_task(stage)
                    bar.update(tasks[stage], completed=done, total=total, visible=done < total)
                    bar.start()
                case TextDelta(text):
                    if shows_text:
                        bar.stop()  # while it runs, standard output is its own
                        sys.stdout.write(harmless(text))
                        sys.stdout.flush()
                case _:
                    result = event
    finally:
        bar.stop()
    assert result is not None
    return result
