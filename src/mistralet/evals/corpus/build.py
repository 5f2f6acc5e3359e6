"""`make_corpus`: the files of the corpus, and their truth, in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mistralet.errors import DocumentError, UsageError
from mistralet.evals.corpus.contracts import make_contracts
from mistralet.evals.corpus.invoices import make_invoices
from mistralet.evals.corpus.letters import make_letters
from mistralet.evals.corpus.manual import make_manual
from mistralet.evals.corpus.quarterly import make_quarterly
from mistralet.evals.corpus.truth import FileTruth, Truth, dump_truth, load_truth
from mistralet.files import write_atomically

# What makes each part: its files, and their truth.
PARTS: dict[str, Callable[[], tuple[dict[str, bytes], list[FileTruth]]]] = {
    "contracts": make_contracts,
    "invoices": make_invoices,
    "letters": make_letters,
    "manual": make_manual,
    "quarterly": make_quarterly,
}


def make_corpus(
    folder: Path, only: Sequence[str] | None = None, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Truth:
    """Make the corpus; one that is there already is kept.

    Args:
        only: some of `PARTS`.
        progress: told of parts that are made, and of all.

    Raises:
        UsageError: there is no such part.
        DocumentError: the folder cannot be written, or a package is missing.
    """
    chosen = list(only or PARTS)
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        raise UsageError(f"The corpus has no part '{unknown[0]}'; its parts are {', '.join(PARTS)}.")
    if (folder / "truth.json").is_file():
        there = load_truth(folder)
        # One that an earlier release made may lack a part.
        if set(chosen) == set(there.parts) and all((folder / file.file).is_file() for file in there.files):
            return there
    truths: list[FileTruth] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for done, name in enumerate(chosen):
            progress(done, len(chosen))
            files, told = PARTS[name]()
            for file, data in files.items():
                write_atomically(folder / file, data)
            truths += told
        truth = Truth(tuple(truths), tuple(chosen))
        write_atomically(folder / "truth.json", dump_truth(truth))  # last: it says that all is there
    except OSError as error:
        raise DocumentError(f"{folder} cannot be written: {error.strerror or error}; choose another.") from error
    progress(len(chosen), len(chosen))
    return truth
