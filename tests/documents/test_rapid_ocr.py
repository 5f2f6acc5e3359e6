"""Pictures are read in a process that stays, is bounded, and is started again when it was ended: others stand in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from mistralet.documents import Box, rapid_ocr_program
from mistralet.documents.ocr import with_text
from mistralet.documents.opening import open_bytes
from mistralet.documents.rapid_ocr import RapidOcr
from mistralet.documents.readers.unreadable import UnreadableError
from mistralet.errors import DocumentError
from support.scans import tiff

# Answers with its process's number as the line of a page; a picture may tell it to do something else.
PROGRAM = """
import json, os, time
from mistralet.limited_program import answer_with

def answer(picture):
    if picture == b"sleep":
        time.sleep(60)
    if picture == b"crash":
        os.abort()
    if picture == b"fill":
        bytearray(8 << 30)
    if picture.startswith(b"{"):
        return picture
    return json.dumps({"lines": [[1, 2, 3, 4, str(os.getpid())]]}).encode()

answer_with(answer)
"""


class Program(Protocol):
    def __call__(self, code: str) -> None: ...


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    def write(code: str) -> None:
        path = tmp_path / "program.py"
        path.write_text(code)
        monkeypatch.setattr(rapid_ocr_program, "__file__", str(path))

    write(PROGRAM)
    return write


@pytest.fixture
def ocr(program: Program) -> Iterator[RapidOcr]:  # noqa: ARG001
    with closing(RapidOcr(seconds=5)) as ocr:
        yield ocr


def pid_of(ocr: RapidOcr) -> int:
    ((box, text),) = ocr(b"a picture")
    assert box == Box(1, 2, 3, 4)
    return int(text)


def test_one_process_reads_all_pictures(ocr: RapidOcr) -> None:
    assert pid_of(ocr) == pid_of(ocr)


def test_none_is_started_before_a_picture_comes(program: Program) -> None:  # noqa: ARG001
    before = len(psutil.Process().children())
    with closing(RapidOcr()):
        assert len(psutil.Process().children()) == before


def test_one_that_is_done_leaves_no_process(ocr: RapidOcr) -> None:
    pid = pid_of(ocr)
    ocr.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(DocumentError, match="was stopped"):
        ocr(b"a picture")


@pytest.mark.parametrize(
    ("picture", "why"),
    [
        (b"sleep", "recognising its text takes longer than 0.5 seconds; "),
        (b"crash", "recognising its text takes too much memory, or fails; "),
        (b"fill", "recognising its text takes too much memory, or fails; "),
        (b'{"failed": "a reason"}', "recognising its text takes too much memory, or fails; "),
    ],
)
def test_a_picture_that_takes_too_much_is_told_and_the_next_is_read(
    program: Program,  # noqa: ARG001
    picture: bytes,
    why: str,
) -> None:
    with closing(RapidOcr(seconds=0.5)) as ocr:
        with pytest.raises(UnreadableError, match=f"^{why}take a model with vision, or a simpler scan$"):
            ocr(picture)
        ocr.seconds = 5
        assert pid_of(ocr) > 0


def test_without_the_library_a_sentence_says_how_to_get_it(ocr: RapidOcr) -> None:
    with pytest.raises(
        DocumentError, match=r"needs the package rapidocr; install it with pip install 'mistralet\[ocr\]'"
    ):
        ocr(b'{"missing": "rapidocr"}')


def test_threads_that_read_at_once_do_not_fail_with_each_other(ocr: RapidOcr) -> None:
    ocr.seconds = 0.5
    told: list[str] = []

    def read(picture: bytes) -> None:
        try:
            told.append("read" if ocr(picture) else "")
        except UnreadableError:
            told.append("unread")

    threads = [threading.Thread(target=read, args=(picture,)) for picture in (b"sleep", b"a", b"b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["read", "read", "unread"]


def test_one_that_is_stopped_ends_what_a_thread_waits_for(ocr: RapidOcr) -> None:
    errors: list[Exception] = []

    def read() -> None:
        try:
            with_text(open_bytes(tiff((40, 20), (40, 20)), "a.tiff"), engine=lambda _: ocr(b"sleep"))
        except DocumentError as error:
            errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    while not ocr.is_running:
        time.sleep(0.01)
    ocr.close()
    thread.join(2)
    assert "was stopped" in str(errors[0])  # the second page was not begun


def test_ctrl_c_ends_a_run_and_leaves_no_process(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        f"import os, pathlib\npathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n"
        + PROGRAM.replace("if picture ==", "if True or picture ==", 1)
    )
    scans = tmp_path / "scans"
    scans.mkdir()
    for name in "abc":
        (scans / f"{name}.tiff").write_bytes(tiff((40, 20), (40, 20)))
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    code = (
        "import sys\nfrom mistralet.cli.main import main\nfrom mistralet.documents import rapid_ocr_program\n"
        f"rapid_ocr_program.__file__ = {str(tmp_path / 'program.py')!r}\n"
        f"sys.argv = ['mistralet', 'extract', {str(scans)!r}, '--schema', {str(tmp_path / 'schema.json')!r}, '--ocr',"
        f" '--url', 'http://127.0.0.1:9', '-o', {str(tmp_path / 'out.jsonl')!r}]\nmain()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL, start_new_session=True)
    told = tmp_path / "pid"
    while not told.is_file() or not told.read_text():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) == 130
    assert not psutil.pid_exists(int(told.read_text()))
