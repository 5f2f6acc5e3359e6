"""A file's process stays, is ended when others need room, and is started again when it was ended."""

from __future__ import annotations

import gc
from pathlib import Path
from threading import Thread

import psutil
import pytest

from mistralet.documents import file_reader
from mistralet.documents.file_reader import DocumentLimits, FileReader
from mistralet.documents.opening import open_bytes
from mistralet.errors import DocumentError
from support.pdf_files import pdf


def processes() -> int:
    return sum("limited_program.py" in " ".join(child.cmdline()) for child in psutil.Process().children())


def reader(*texts: str, **limits: float) -> FileReader:
    return FileReader(pdf(*texts), "a.pdf", "pdf", DocumentLimits(**limits))  # type: ignore[arg-type]


def test_questions_are_answered_by_one_process() -> None:
    before = processes()
    file = reader("one", "two")
    assert [page.text for page in file.pages()] == ["one", "two"]
    assert len(file.words(2)) == 1
    assert processes() <= before + 1


def test_one_that_was_ended_is_started_again() -> None:
    file = reader("one two")
    file.pages()
    assert file.rest()
    assert len(file.words(1)) == 2


def test_few_stay_and_all_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_reader, "_MOST_PROCESSES", 2)
    files = [reader(f"file {number}") for number in range(5)]
    for file in files:
        file.pages()
    assert processes() <= 2
    assert [len(file.words(1)) for file in files] == [2] * 5


def test_a_document_that_is_gone_leaves_no_process() -> None:
    document = open_bytes(pdf("one"), "a.pdf")
    before = processes()
    del document
    gc.collect()
    assert processes() == before - 1


def test_a_text_leaves_no_process() -> None:
    before = processes()
    document = open_bytes(b"some text", "a.txt")
    assert processes() <= before
    assert document.source.words(1) == ()


def test_threads_may_ask_at_the_same_time() -> None:
    file = reader(*[f"page {number}" for number in range(8)])
    found: dict[int, int] = {}
    threads = [
        Thread(target=lambda number=number: found.update({number: len(file.words(number))})) for number in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(1, 9), 2)


@pytest.mark.parametrize("ending", ["import time; time.sleep(9)", "import os; os.abort()"], ids=["hangs", "crashes"])
def test_one_that_hangs_or_crashes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    path = tmp_path / "reader.py"
    path.write_text(ending)
    monkeypatch.setattr(file_reader.program, "__file__", str(path))
    with pytest.raises(DocumentError, match=r"^a\.pdf takes too much time or memory to read"):
        reader("one", seconds=0.3).pages()


def test_memory_is_limited() -> None:
    with pytest.raises(DocumentError, match=r"memory"):
        reader("one", memory=16 << 20).pages()
