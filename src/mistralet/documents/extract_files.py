"""`extract_files`: one form for each of many files, in a run that can be interrupted anywhere and gone on with."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mistralet.chat import ChatModel
from mistralet.documents.document import Document
from mistralet.documents.events import FlowEvent, Planned, Progress
from mistralet.documents.extract import Extraction, extract
from mistralet.documents.journal import Journal
from mistralet.documents.opening import open_document
from mistralet.errors import ConstraintError, DocumentError, MistraletError

# Files that are worked on at once: their answers share the model's steps.
_AT_ONCE = 4


@dataclass(frozen=True)
class FileDone:
    """What became of a file: the record of it."""

    record: dict[str, Any]  # file, digest, and an error or value, fields and the pages that were not read


@dataclass(frozen=True)
class RunResult:
    """How a run ended."""

    records: tuple[dict[str, Any], ...]  # of all files, in their order
    done: int  # in this run
    known: int  # from an earlier one
    failed: int


def work_of(schema: dict[str, Any], model: str) -> dict[str, Any]:
    """What tells a run from others."""
    digest = hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()
    return {"schema": digest, "model": model}


async def extract_files(
    model: ChatModel,
    paths: Sequence[Path],
    schema: dict[str, Any],
    journal: Journal,
    max_tokens: int = 1000,
    retry_errors: bool = False,
    opened: Callable[[Path], Document] = open_document,
) -> AsyncGenerator[FlowEvent | FileDone | RunResult, None]:
    """Fill in a form for each file, several at once; the `RunResult` comes last.

    A file that cannot be read is noted with its error, and the others go on.

    Raises:
        ConstraintError: an answer cannot be held to the schema, which concerns all files.
    """
    files = [(path, str(path.resolve()), _digest(path)) for path in dict.fromkeys(paths)]
    left = [file for file in files if _is_left(journal.get(*file[1:]), retry_errors)]
    known = len(files) - len(left)
    yield Planned(f"{len(files)} files" + (f", {known} of them done already." if known else "."))
    waiting = asyncio.Semaphore(_AT_ONCE)

    async def work(path: Path, name: str, digest: str) -> dict[str, Any]:
        async with waiting:
            record = {"file": name, "digest": digest, **await _record(model, path, schema, max_tokens, opened)}
            journal.add(record)
            return record

    tasks = [asyncio.create_task(work(*file)) for file in left]
    try:
        for done, task in enumerate(asyncio.as_completed(tasks), 1):
            yield Progress("Files", known + done - 1, len(files))
            yield FileDone(await task)
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    yield Progress("Files", len(files), len(files))
    records = tuple(record for _, name, digest in files if (record := journal.get(name, digest)) is not None)
    yield RunResult(records, len(left), known, sum("error" in record for record in records))


async def _record(
    model: ChatModel, path: Path, schema: dict[str, Any], max_tokens: int, opened: Callable[[Path], Document]
) -> dict[str, Any]:
    try:
        document = await asyncio.to_thread(opened, path)
        async for event in extract(model, document, schema, max_tokens):
            if isinstance(event, Extraction):
                return {
                    "value": event.value,
                    "fields": [asdict(field) for field in event.fields],
                    "unread_pages": [asdict(page) for page in document.unread_pages],
                }
    except ConstraintError:
        raise
    except MistraletError as error:
        return {"error": str(error)}
    raise AssertionError("a flow ends with its result")


def _is_left(record: dict[str, Any] | None, retry_errors: bool) -> bool:
    return record is None or (retry_errors and "error" in record)


def _digest(path: Path) -> str:
    """Of the file's content; of nothing where it cannot be read, which is told when it is opened."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def expanded(names: Sequence[str]) -> list[Path]:
    """The files that names, folders and patterns stand for, in order.

    Raises:
        DocumentError: one stands for none.
    """
    found: list[Path] = []
    for name in names:
        path = Path(name).expanduser()
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file() and not each.name.startswith("."))
        elif any(sign in name for sign in "*?[") and not path.exists():
            inside = sorted(
                each for each in Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))) if each.is_file()
            )
        else:
            inside = [path]
        if not inside:
            raise DocumentError(f"{name} holds no files; name others.")
        found += inside
    return list(dict.fromkeys(found))
