"""What a benchmark gives back: rows of samples, in sections; shown as tables that can be pasted into a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


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


def show(console: Console, section: Section) -> None:
    """Print a section in Markdown."""
    console.print(f"\n## {section.title}\n", style="bold")
    table = Table(box=box.MARKDOWN, header_style="")
    table.add_column("")
    for heading in ("mistralet", section.peer, "times better", "of the machine's limit"):
        table.add_column(heading, justify="right")
    for row in section.rows:
        peer = _figure(median(row.peer)) if row.peer else "–"
        ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
        share = "–" if row.limit_ratio is None else f"{row.limit_ratio:.0%}"
        table.add_row(f"{row.name}, {row.unit}", _figure(median(row.ours)), peer, ratio, share)
    with console.capture() as captured:
        console.print(table)
    console.out(captured.get().strip(), highlight=False)  # without the empty lines of a frame
    console.print()
    for note in section.notes:
        console.print(f"- {note}", soft_wrap=True, markup=False)


def show_facts(console: Console, facts: dict[str, str]) -> None:
    """Print a list of facts in Markdown."""
    for name, value in facts.items():
        console.print(f"- {name}: {value}", soft_wrap=True, markup=False)


def _samples(values: Sequence[float]) -> dict[str, Any]:
    return {"samples": list(values), "median": median(values)}


def _figure(value: float) -> str:
    """Three digits that count."""
    for digits, bound in ((0, 100.0), (1, 10.0), (2, 1.0)):
        if abs(value) >= bound:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"
