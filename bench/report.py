"""What a benchmark gives back: rows of samples, in sections; shown as tables that can be pasted into a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from rich import box
from rich.console import Console
from rich.table import Table

from mistralet.errors import UsageError
from mistralet.files import write_atomically

# Wide enough for any table, so that a page gets it unbroken.
_WIDTH = 160


@dataclass(frozen=True)
class Row:
    """One figure of mistralet's and its peer's; a sample for each round."""

    name: str
    unit: str
    ours: Sequence[float]
    peer: Sequence[float] = ()  # empty: the peer has no such figure
    limit: float | None = None  # what the machine can do at most, in the same unit
    lower_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer, by medians: above 1, mistralet is better, whatever the unit."""
        if not self.peer:
            return None
        quotient = median(self.ours) / median(self.peer)
        return 1 / quotient if self.lower_is_better else quotient

    @property
    def limit_ratio(self) -> float | None:
        """The part of the machine's limit that is reached, 0 to 1."""
        return None if self.limit is None else median(self.ours) / self.limit

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": _samples(self.ours),
            "peer": _samples(self.peer) if self.peer else None,
            "ratio": self.ratio,
            "limit": self.limit,
            "limit_ratio": self.limit_ratio,
        }


@dataclass(frozen=True)
class Section:
    """The rows of one model."""

    title: str
    rows: Sequence[Row]
    peer: str = "llama.cpp"
    notes: Sequence[str] = ()  # sentences: under which conditions the figures hold
    raw: dict[str, Any] = field(default_factory=dict)  # every measurement, for the JSON

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "title": self.title,
            "peer": self.peer,
            "notes": list(self.notes),
            "rows": [row.facts() for row in self.rows],
            "raw": self.raw,
        }

    def show(self, console: Console) -> None:
        """Print it in Markdown."""
        table = Table(box=box.MARKDOWN, header_style="")
        table.add_column("")
        for heading in ("mistralet", self.peer, "times better", "of the machine's limit"):
            table.add_column(heading, justify="right")
        for row in self.rows:
            peer = figure(median(row.peer)) if row.peer else "–"
            ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
            share = "–" if row.limit_ratio is None else f"{row.limit_ratio:.0%}"
            table.add_row(f"{row.name}, {row.unit}", figure(median(row.ours)), peer, ratio, share)
        show_table(console, self.title, table, self.notes)


def show_table(console: Console, title: str, table: Table, notes: Sequence[str]) -> None:
    """Print a table, unless it is empty, with what belongs to it in Markdown."""
    console.print(f"\n## {title}\n", style="bold")
    if table.row_count:
        with console.capture() as captured:
            console.print(table)
        console.out(captured.get().strip(), highlight=False)  # without the empty lines of a frame
        console.print()
    for note in notes:
        console.print(f"- {note}", soft_wrap=True, markup=False)


class Part(Protocol):
    """Something of a report."""

    def facts(self) -> dict[str, Any]:
        """As JSON."""

    def show(self, console: Console) -> None:
        """Print it in Markdown."""


class Report:
    """Shows parts as they come, and keeps the file up to date."""

    def __init__(self, path: Path | None) -> None:
        """
        Args:
            path: where everything is written as JSON, too.

        Raises:
            UsageError: its folder does not exist.
        """
        if path is not None and not path.absolute().parent.is_dir():
            raise UsageError(f"{path}: its folder does not exist; name another place with --json.")
        self._console = Console(highlight=False, width=_WIDTH)
        self._path = path
        self._facts: dict[str, Any] = {"sections": []}

    def begin(self, machine: dict[str, str]) -> None:
        """Show where all that comes is measured."""
        show_facts(self._console, machine)
        self._facts = {"machine": machine, "sections": []}

    def add(self, part: Part) -> None:
        """Show a part.

        Raises:
            UsageError: the file cannot be written.
        """
        part.show(self._console)
        self._facts["sections"].append(part.facts())
        if self._path is not None:
            text = json.dumps(self._facts, ensure_ascii=False, indent=2) + "\n"
            try:
                write_atomically(self._path, text.encode())
            except OSError as error:
                raise UsageError(
                    f"{self._path}: cannot be written ({error.strerror or error}); name another place with --json."
                ) from error


def show_facts(console: Console, facts: dict[str, str]) -> None:
    """Print a list of facts in Markdown."""
    for name, value in facts.items():
        console.print(f"- {name}: {value}", soft_wrap=True, markup=False)


def _samples(values: Sequence[float]) -> dict[str, Any]:
    return {"samples": list(values), "median": median(values)}


def figure(value: float) -> str:
    """A number with three digits that count."""
    for digits, bound in ((0, 100.0), (1, 10.0), (2, 1.0)):
        if abs(value) >= bound:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"
