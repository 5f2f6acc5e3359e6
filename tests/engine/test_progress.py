"""The bar shows how many answers have ended."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from mistralet.engine import progress_bar


def test_the_bar_counts_answers() -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    with progress_bar("Reading contracts", console) as progress:
        progress(1, 3)
        progress(3, 3)
    assert "Reading contracts" in out.getvalue()
    assert "3/3" in out.getvalue()
