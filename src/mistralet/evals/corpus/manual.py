"""The manual of 150 pages: one page for each part of a machine and each thing there is to say of it."""

from __future__ import annotations

from random import Random
from typing import Any

from mistralet.documents.pdf_fonts import BOLD, FONT
from mistralet.evals.corpus.manual_data import DETAILS, GENERAL, PAGES, PARTS
from mistralet.evals.corpus.sheets import Flow, new_page, pdf_of, table, text
from mistralet.evals.corpus.truth import FileTruth, Question

_NAME = "manual.pdf"
_QUESTIONS = 50


def make_manual() -> tuple[dict[str, bytes], list[FileTruth]]:
    """The file, and 50 questions each of which one page answers."""
    draw = Random(1503)
    flow: Flow = []
    asked: list[Question] = []
    codes: set[str] = set()
    for chapter, (part, alias, place) in enumerate(PARTS, 1):
        for section, (heading, sentences, (question, key)) in enumerate(PAGES, 1):
            page = len(PAGES) * (chapter - 1) + section
            facts = _facts(draw, codes)
            told = [sentence.format(part=part, place=place, **facts) for sentence in sentences]
            if page > 1:
                flow.append(new_page())
            flow += _page(draw, f"{chapter}.{section} {part.capitalize()}: {heading.lower()}", told)
            quote = next(sentence for sentence in told if str(facts[key]) in sentence)
            asked.append(Question(question.format(alias=alias), (str(facts[key]),), page, quote))
    chosen = draw.sample(asked, _QUESTIONS)
    truth = FileTruth(_NAME, "manual", "en", len(asked), tuple(sorted(chosen, key=lambda each: each.page)))
    return {_NAME: pdf_of(flow, "Service manual", _decorate)}, [truth]


def _facts(draw: Random, codes: set[str]) -> dict[str, Any]:
    def new(form: str) -> str:
        """A code that no other page has."""
        while (code := form.format(a=draw.choice("ABCDEFGHKLMNPRSTUVWX"), n=draw.randrange(100, 1000))) in codes:
            continue
        codes.add(code)
        return code

    return {
        "code": new("HX-{n}{a}"),
        "kg": draw.randrange(3, 90) / 10,
        "warm": draw.randrange(30, 55),
        "watt": draw.randrange(4, 900),
        "screws": draw.choice(("two", "three", "four", "six")),
        "torque": f"{draw.randrange(8, 60) / 10:.1f}",
        "gap": draw.randrange(8, 60),
        "minutes": draw.randrange(3, 40),
        "menu": new("{n}-{a}"),
        "value": draw.randrange(10, 60),
        "top": draw.randrange(61, 99),
        "seconds": draw.randrange(3, 30),
        "days": draw.randrange(5, 60),
        "cycles": new("{n}00"),
        "ml": draw.randrange(10, 90),
        "error": new("E{n}{a}"),
        "pause": draw.randrange(10, 90),
        "plug": new("P{n}{a}"),
        "hours": draw.randrange(2, 48),
    }


def _page(draw: Random, heading: str, told: list[str]) -> Flow:
    details, general = draw.sample(DETAILS, 9), draw.sample(GENERAL, 4)
    rows = [("Step", "What to do", "Time")]
    for number, step in enumerate(draw.sample(DETAILS, 3), 1):
        rows.append((str(number), step[:62].rsplit(" ", 1)[0], f"{draw.randrange(1, 20)} min"))
    return [
        text(heading, "heading"),
        text(f"{told[0]} {details[0]} {details[1]}"),
        text(f"{details[2]} {told[1]} {details[3]}"),
        text(f"Safety: {general[0]} {general[1]}", "note"),
        text(f"{details[4]} {details[5]} {told[2]} {details[6]}"),
        table(rows, (40, 350, 60), numbers=(2,)),
        text(" "),
        text(f"{details[7]} {general[2]} {details[8]} {general[3]}"),
    ]


def _decorate(canvas: Any, _template: Any) -> None:
    canvas.setFont(BOLD, 8)
    canvas.drawString(62, 800, "HELIOX H4 · SERVICE MANUAL")
    canvas.setFont(FONT, 8)
    canvas.drawRightString(533, 800, "Edition 7, March 2025")
    canvas.line(62, 794, 533, 794)
    canvas.drawCentredString(297, 36, f"{canvas.getPageNumber()} of {len(PARTS) * len(PAGES)}")
