"""What is true of the corpus: the right answers, and the pages they stand on. Kept as `truth.json` beside the files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from mistralet.errors import DocumentError

Importance = Literal["high", "medium", "low", "cosmetic"]
ChangeKind = Literal["amount", "term", "added", "removed", "moved", "reworded", "cosmetic"]


@dataclass(frozen=True)
class Question:
    """Something to ask of a file."""

    question: str
    answers: tuple[str, ...]  # each of them is right
    page: int
    quote: str  # as it stands on the page; empty where a picture holds the answer
    of_chart: bool = False


@dataclass(frozen=True)
class Fact:
    """A field to extract from a file."""

    name: str
    value: str | float  # dates in ISO 8601
    page: int
    quote: str  # as it is printed


@dataclass(frozen=True)
class Change:
    """What differs between two versions of a contract."""

    kind: ChangeKind
    importance: Importance
    old: str  # empty if it was added
    new: str  # empty if it was removed


@dataclass(frozen=True)
class FileTruth:
    """What is true of one file."""

    file: str  # its name in the corpus' folder
    kind: str  # "manual", "invoice", "letter", "scan", "contract", "report"
    language: str
    pages: int
    questions: tuple[Question, ...] = ()
    facts: tuple[Fact, ...] = ()
    earlier: str = ""  # the file of the version before
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Truth:
    """What is true of all files."""

    files: tuple[FileTruth, ...] = field(default_factory=tuple)
    parts: tuple[str, ...] = ()  # of the corpus, that the files are of

    def of_kind(self, kind: str) -> list[FileTruth]:
        """The files of a kind."""
        return [file for file in self.files if file.kind == kind]


def dump_truth(truth: Truth) -> bytes:
    """As `truth.json` has it."""
    return (json.dumps(asdict(truth), ensure_ascii=False, indent=1) + "\n").encode()


def load_truth(folder: Path) -> Truth:
    """The truth of a corpus in a folder.

    Raises:
        DocumentError: there is none, or it is damaged.
    """
    path = folder / "truth.json"
    try:
        told = json.loads(path.read_bytes())
        return Truth(tuple(_file(each) for each in told["files"]), tuple(told.get("parts", ())))
    except OSError as error:
        raise DocumentError(f"{folder} holds no corpus; make one with mistralet eval docs.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DocumentError(f"{path} is damaged; remove the folder, and make it again.") from error


def _file(told: dict[str, Any]) -> FileTruth:
    questions = tuple(Question(**each | {"answers": tuple(each["answers"])}) for each in told["questions"])
    facts = tuple(Fact(**each) for each in told["facts"])
    changes = tuple(Change(**each) for each in told["changes"])
    return FileTruth(**told | {"questions": questions, "facts": facts, "changes": changes})
