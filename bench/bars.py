"""Figures with the bar that each has to clear, as tables that can be pasted into a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.report import Row, figure, show_table


@dataclass(frozen=True)
class Figure:
    """A figure and its bar."""

    row: Row
    against: str = ""  # what the row's peer is
    bar: float | None = None  # the least ratio; without a peer, the most the figure may be

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is cleared; None without one."""
        if self.bar is None:
            return None
        ratio = self.row.ratio
        return median(self.row.ours) <= self.bar if ratio is None else ratio >= self.bar

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return self.row.facts() | {"against": self.against, "bar": self.bar, "is_met": self.is_met}


@dataclass(frozen=True)
class Chapter:
    """Figures of one kind."""

    title: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()  # sentences: under which conditions the figures hold
    raw: dict[str, Any] = field(default_factory=dict)  # every measurement, for the JSON

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "title": self.title,
            "notes": list(self.notes),
            "figures": [figure.facts() for figure in self.figures],
            "raw": self.raw,
        }

    def show(self, console: Console) -> None:
        """Print it in Markdown."""
        table = Table(box=box.MARKDOWN, header_style="")
        table.add_column("")
        for heading in ("measured", "against", "times better", "bar", "cleared"):
            table.add_column(heading, justify="right")
        for each in self.figures:
            row = each.row
            against = f"{figure(median(row.peer))} ({each.against})" if row.peer else "–"
            ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
            bar = "–" if each.bar is None else f"{each.bar:g}" if row.peer else f"at most {each.bar:g}"
            met = {None: "–", True: "yes", False: "no"}[each.is_met]
            table.add_row(f"{row.name}, {row.unit}", figure(median(row.ours)), against, ratio, bar, met)
        show_table(console, self.title, table, self.notes)
