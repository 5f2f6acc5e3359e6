"""Figures and whether they clear their bars."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from bench.bars import Chapter, Figure
from bench.report import Row

SPEED = Row("decoding", "tokens/s", [400, 500, 450], [200, 210, 190])


@pytest.mark.parametrize(("bar", "is_met"), [(2.0, True), (2.25, True), (2.3, False), (None, None)])
def test_a_bar_is_the_least_ratio_to_the_peer(bar: float | None, is_met: bool | None) -> None:
    assert Figure(SPEED, "llama.cpp", bar).is_met is is_met


def test_of_times_the_ratio_counts_the_other_way() -> None:
    row = Row("all", "s", [2], [16], lower_is_better=True)
    assert Figure(row, "an empty cache", 8.0).is_met
    assert not Figure(row, "an empty cache", 8.1).is_met


@pytest.mark.parametrize(("samples", "is_met"), [([0.9, 5.0, 0.8], True), ([1.1, 0.1, 1.2], False)])
def test_without_a_peer_the_bar_is_the_most(samples: list[float], is_met: bool) -> None:
    assert Figure(Row("32 at once", "ms", samples), bar=1.0).is_met is is_met


def test_a_chapter_is_a_table_that_can_be_pasted() -> None:
    figures = [Figure(SPEED, "llama.cpp", 2.0), Figure(Row("32 at once", "ms", [1.5]), bar=1.0), Figure(SPEED, "x")]
    chapter = Chapter("Many", figures, notes=["Two [small] rounds."])
    out = io.StringIO()
    chapter.show(Console(file=out, width=160))
    title, heading, _, *body, note = [line for line in out.getvalue().splitlines() if line]
    assert title == "## Many"
    assert cells(heading) == ["", "measured", "against", "times better", "bar", "cleared"]
    assert cells(body[0]) == ["decoding, tokens/s", "450", "200 (llama.cpp)", "2.25", "2", "yes"]
    assert cells(body[1]) == ["32 at once, ms", "1.50", "–", "–", "at most 1", "no"]
    assert cells(body[2]) == ["decoding, tokens/s", "450", "200 (x)", "2.25", "–", "–"]
    assert note == "- Two [small] rounds."


def test_facts_are_json() -> None:
    facts = Chapter("Many", [Figure(SPEED, "llama.cpp", 2.0)], raw={"a": 1}).facts()
    assert json.loads(json.dumps(facts)) == facts
    (figure,) = facts["figures"]
    assert (figure["against"], figure["bar"], figure["is_met"], figure["ratio"]) == ("llama.cpp", 2.0, True, 2.25)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]
