"""`python -m bench.documents`: reading and rendering a PDF of 300 pages, beside PyMuPDF and pdfplumber."""

from __future__ import annotations

import io
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Annotated

import pypdfium2
import typer
from rich.console import Console

import bench.runner_documents as runner
from bench.bars import Chapter, Figure
from bench.command import at_least_one, run_command
from bench.report import Row
from mistralet.documents.opening import open_document
from mistralet.errors import UsageError
from mistralet.evals.corpus.manual import make_manual

_PEERS = ("pymupdf", "pdfplumber")
_PICTURES, _SIDE = 20, 1000


def main(
    peer_python: Annotated[Path | None, typer.Option(help="A Python that has PyMuPDF and pdfplumber.")] = None,
    rounds: Annotated[int, typer.Option(help="Measurements of each figure.")] = 3,
) -> None:
    """Measure opening documents."""
    at_least_one("rounds", rounds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.pdf"
        path.write_bytes(_long())
        ours: dict[str, list[float]] = {"text": [], "words": [], "pictures": []}
        theirs: dict[str, dict[str, list[float]]] = {peer: {what: [] for what in ours} for peer in _PEERS}
        for _ in range(rounds):
            for what, seconds in _measured(path).items():
                ours[what].append(seconds)
            for peer in _PEERS if peer_python else ():
                for what, seconds in _measured_by(peer, str(peer_python), path).items():
                    theirs[peer][what].append(seconds)
    names = {"text": "text of 300 pages", "words": "places of all words", "pictures": f"{_PICTURES} pages as pictures"}
    figures = []
    for what, name in names.items():
        peers = [peer for peer in _PEERS if theirs[peer][what]] or [""]
        for peer in peers:
            against = theirs[peer][what] if peer else []
            figures.append(Figure(Row(name, "s", ours[what], against, lower_is_better=True), peer))
    notes = [
        f"Medians of {rounds} rounds, in turn. Ours begin a process that is limited in time and memory, and read the "
        "text before they look for places; the peers read in a process whose start is not counted. "
        f"Pictures are PNG files of {_SIDE} pixels."
    ]
    Chapter("A PDF of 300 pages", figures, notes).show(Console(width=160, highlight=False))


def _measured(path: Path) -> dict[str, float]:
    begun = time.perf_counter()
    document = open_document(path)
    read = time.perf_counter()
    for page in document.pages:
        document.source.words(page.number)
    placed = time.perf_counter()
    for number in range(1, _PICTURES + 1):
        document.source.picture(number, _SIDE)
    return {"text": read - begun, "words": placed - begun, "pictures": time.perf_counter() - placed}


def _measured_by(peer: str, python: str, path: Path) -> dict[str, float]:
    try:
        ended = subprocess.run([python, runner.__file__, peer, str(path)], capture_output=True, text=True, check=False)
    except OSError as error:
        raise UsageError(
            f"{python}: cannot be run ({error.strerror or error}); name a Python with --peer-python."
        ) from error
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"])[-1]
        raise UsageError(
            f"{peer} failed in {python} ({reason.rstrip('.')}); install it with '{python} -m pip install {peer}', or "
            "name a Python that has it with --peer-python."
        )
    seconds: dict[str, float] = json.loads(ended.stdout)
    return seconds


def _long() -> bytes:
    """The manual of the corpus, twice."""
    (data,) = make_manual()[0].values()
    document = pypdfium2.PdfDocument(data)
    document.import_pages(pypdfium2.PdfDocument(data))
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


if __name__ == "__main__":
    run_command(main, "documents")
