"""Contracts in two versions, as PDF and as Word files, and what changed between them."""

from __future__ import annotations

import copy
from typing import Any

from mistralet.documents.pdf_fonts import FONT
from mistralet.documents.readers.pdf import pages as pdf_pages
from mistralet.documents.readers.unreadable import Limits
from mistralet.evals.corpus.contract_data import CONTRACTS, Clauses, Contract
from mistralet.evals.corpus.sheets import Flow, new_page, pdf_of, space, table, text
from mistralet.evals.corpus.truth import Change, Fact, FileTruth
from mistralet.evals.corpus.word_files import word_file

_LIMITS = Limits(pages=100, characters=1_000_000)
_ANNEX = (
    ("Item", "Place", "Since"),
    ("Unit 1", "North hall", "2016"),
    ("Unit 2", "North hall", "2019"),
    ("Unit 3", "South hall", "2021"),
    ("Unit 4", "Yard", "2023"),
)


def make_contracts() -> tuple[dict[str, bytes], list[FileTruth]]:
    """The files, and for each version what it states; for each second one also how it differs from the first."""
    files: dict[str, bytes] = {}
    truths = []
    for contract in CONTRACTS:
        later = _edited(contract)
        for version, clauses in ((1, contract.clauses), (2, later)):
            name = f"{contract.name}-v{version}"
            files[f"{name}.pdf"] = _pdf(contract, clauses, version)
            files[f"{name}.docx"] = word_file(contract.title, dict(_numbered(clauses)), ("Annex A", _ANNEX))
        first = pdf_pages(files[f"{contract.name}-v1.pdf"], _LIMITS)
        facts = tuple(_fact(name, *stated, [page.text for page in first]) for name, stated in contract.fields.items())
        truths.append(FileTruth(f"{contract.name}-v1.pdf", "contract", "en", len(first), facts=facts))
        second = pdf_pages(files[f"{contract.name}-v2.pdf"], _LIMITS)
        changes = tuple(
            Change(edit.kind, edit.importance, *_said(contract.clauses, edit.title, edit.old, edit.new, edit.kind))
            for edit in contract.edits
        )
        earlier = f"{contract.name}-v1.pdf"
        truths.append(
            FileTruth(f"{contract.name}-v2.pdf", "contract", "en", len(second), earlier=earlier, changes=changes)
        )
    return files, truths


def _edited(contract: Contract) -> Clauses:
    clauses = copy.deepcopy(contract.clauses)
    for edit in contract.edits:
        if edit.kind == "added":
            clauses = _inserted(clauses, edit.title, [edit.new], edit.before)
        elif edit.kind == "removed":
            del clauses[edit.title]
        elif edit.kind == "moved":
            clauses = _inserted(clauses, edit.title, clauses.pop(edit.title), edit.before)
        else:
            before = clauses[edit.title]
            clauses[edit.title] = [paragraph.replace(edit.old, edit.new) for paragraph in before]
            assert clauses[edit.title] != before, edit
    return clauses


def _inserted(clauses: Clauses, title: str, paragraphs: list[str], before: str) -> Clauses:
    made: Clauses = {}
    for each, told in clauses.items():
        if each == before:
            made[title] = paragraphs
        made[each] = told
    return made


def _said(clauses: Clauses, title: str, old: str, new: str, kind: str) -> tuple[str, str]:
    moved = clauses[title][0] if kind == "moved" else ""
    return old or moved, new or moved


def _fact(name: str, value: str, stated: str, pages: list[str]) -> Fact:
    for number, page in enumerate(pages, 1):
        if " ".join(stated.split()) in " ".join(page.split()):
            return Fact(name, value, number, stated)
    raise AssertionError(stated)


def _numbered(clauses: Clauses) -> list[tuple[str, list[str]]]:
    return [
        (f"{number}. {title}", [f"{number}.{place} {each}" for place, each in enumerate(paragraphs, 1)])
        for number, (title, paragraphs) in enumerate(clauses.items(), 1)
    ]


def _pdf(contract: Contract, clauses: Clauses, version: int) -> bytes:
    flow: Flow = [text(contract.title, "title")]
    for heading, paragraphs in _numbered(clauses):
        flow += [text(heading, "heading"), *map(text, paragraphs), space(26)]
    flow += [new_page(), text("Annex A", "heading"), table(_ANNEX, (150, 200, 120))]

    def decorate(canvas: Any, _template: Any) -> None:
        canvas.setFont(FONT, 8)
        canvas.drawString(62, 800, contract.title)
        canvas.drawRightString(533, 800, f"Version {version}")
        canvas.drawCentredString(297, 36, f"Page {canvas.getPageNumber()}")

    return pdf_of(flow, contract.title, decorate)
