"""Rows and their ratios, as tables and as JSON."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from bench.report import Row, Section


def test_a_speed_is_better_if_it_is_higher() -> None:
    row = Row("answering", "tokens/s", ours=[1, 9, 3], peer=[2, 1, 2], limit=4)
    assert row.ratio == pytest.approx(1.5)
    assert row.limit_ratio == pytest.approx(0.75)


def test_a_time_is_better_if_it_is_lower() -> None:
    row = Row("start", "s", ours=[2], peer=[3], lower_is_better=True)
    assert row.ratio == pytest.approx(1.5)
    assert row.limit_ratio is None


def test_without_a_peer_there_is_no_ratio() -> None:
    assert Row("first start", "s", ours=[2]).ratio is None


def test_facts_hold_samples_and_medians() -> None:
    facts = Row("answering", "tokens/s", ours=[1, 9, 3], peer=[2], limit=4).facts()
    assert facts["ours"] == {"samples": [1, 9, 3], "median": 3}
    assert facts["peer"] == {"samples": [2], "median": 2}
    assert json.loads(json.dumps(facts)) == facts


def test_a_section_is_a_table_that_can_be_pasted() -> None:
    rows = [
        Row("reading a prompt of 64", "tokens/s", [1234.5], [617.25], limit=2469),
        Row("start", "s", [0.25], lower_is_better=True),
    ]
    out = io.StringIO()
    Section("A model", rows, notes=["One [small] round."]).show(Console(file=out, width=120))
    title, heading, rule, *body, note = [line for line in out.getvalue().splitlines() if line]
    assert title == "## A model"
    assert cells(heading) == ["", "mistralet", "llama.cpp", "times better", "of the machine's limit"]
    assert set(rule) == {"|", "-"}
    assert cells(body[0]) == ["reading a prompt of 64, tokens/s", "1,234", "617", "2.00", "50%"]
    assert cells(body[1]) == ["start, s", "0.250", "–", "–", "–"]
    assert note == "- One [small] round."


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]
