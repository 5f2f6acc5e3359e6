"""The corpus is the same each time, and what is said of it is true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mistralet.documents import Document, find_quote
from mistralet.documents.opening import open_bytes
from mistralet.errors import DocumentError, UsageError
from mistralet.evals.corpus import PARTS, FileTruth, load_truth, make_corpus
from mistralet.evals.corpus.invoices import make_invoices

Made = tuple[dict[str, bytes], list[FileTruth]]
MADE: dict[str, Made] = {}
OPEN: dict[str, Document] = {}


def made(part: str) -> Made:
    if part not in MADE:
        MADE[part] = PARTS[part]()
    return MADE[part]


def opened(part: str, name: str) -> Document:
    if name not in OPEN:
        OPEN[name] = open_bytes(made(part)[0][name], name)
    return OPEN[name]


@pytest.mark.parametrize("part", ["contracts", "letters", "quarterly", "manual"])
def test_it_is_the_same_each_time(part: str) -> None:
    assert PARTS[part]()[0] == made(part)[0]


def test_invoices_are_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mistralet.evals.corpus.invoices._COUNT", 2)
    assert make_invoices()[0] == make_invoices()[0]


@pytest.mark.parametrize("part", PARTS)
def test_quotes_stand_on_their_pages(part: str) -> None:
    for truth in made(part)[1]:
        if truth.kind == "scan":
            continue
        document = opened(part, truth.file)
        assert len(document.pages) == truth.pages
        for stated in (*truth.questions, *truth.facts):
            if stated.quote:
                assert find_quote(document.page(stated.page), stated.quote) is not None, stated


def test_one_page_of_the_manual_answers_each_question() -> None:
    (truth,) = made("manual")[1]
    document = opened("manual", truth.file)
    assert len(truth.questions) == 50
    texts = {page.number: " ".join(page.text.split()) for page in document.pages}
    assert len(set(texts.values())) == 150
    for question in truth.questions:
        assert [number for number, text in texts.items() if question.quote in text] == [question.page]


def test_questions_of_the_report_are_of_its_text_and_of_its_charts() -> None:
    (truth,) = made("quarterly")[1]
    assert Counter(question.of_chart for question in truth.questions) == {True: 20, False: 20}
    assert all(question.answers and all(question.answers) for question in truth.questions)


def test_invoices_add_up() -> None:
    for truth in made("invoices")[1]:
        facts = {fact.name: fact.value for fact in truth.facts}
        assert float(facts["net"]) + float(facts["vat"]) == pytest.approx(float(facts["total"]))
        account = str(facts["iban"])
        moved = "".join(str(int(letter, 36)) for letter in account[4:] + account[:4])
        assert int(moved) % 97 == 1


def test_scans_hold_no_text() -> None:
    scans = [truth.file for truth in made("invoices")[1] if truth.kind == "scan"]
    assert len(scans) == 20
    assert [(page.text, page.is_scan) for page in opened("invoices", scans[0]).pages] == [("", True)]


def test_letters_are_in_five_languages_and_three_kinds_of_files() -> None:
    truths = made("letters")[1]
    assert [truth.language for truth in truths if truth.kind == "letter"] == ["en", "de", "fr", "es", "it"]
    for truth in truths:
        document = opened("letters", truth.file)
        assert [page.is_scan for page in document.pages] == [truth.kind == "scan"] * 2
        assert sorted({question.page for question in truth.questions}) == [1, 2]
        if truth.kind == "letter":
            (page,) = opened("letters", truth.file.replace(".pdf", ".docx")).pages
            assert all(find_quote(page, question.quote) for question in truth.questions)


def test_changes_are_between_the_two_versions() -> None:
    for truth in made("contracts")[1]:
        if not truth.changes:
            continue
        before, after = (
            " ".join(" ".join(page.text for page in opened("contracts", name).pages).split())
            for name in (truth.earlier, truth.file)
        )
        for change in truth.changes:
            if change.kind in ("amount", "term", "added"):
                assert " ".join(change.new.split()) in after
                assert " ".join(change.new.split()) not in before
            if change.kind == "removed":
                assert change.old in before
                assert change.old not in after


def test_a_folder_gets_it_once(tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    truth = make_corpus(tmp_path / "c", ["quarterly"], lambda *each: done.append(each))
    assert done == [(0, 1), (1, 1)]
    assert load_truth(tmp_path / "c") == truth
    assert make_corpus(tmp_path / "c", ["quarterly"], lambda *each: done.append(each)) == truth
    assert len(done) == 2
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["quarterly-report.pdf", "truth.json"]


def test_a_part_that_an_earlier_release_did_not_make_is_made(tmp_path: Path) -> None:
    make_corpus(tmp_path, ["quarterly"])
    assert {file.kind for file in make_corpus(tmp_path, ["quarterly", "letters"]).files} == {"report", "letter", "scan"}


def test_what_goes_wrong_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no part 'poems'"):
        make_corpus(tmp_path, ["poems"])
    with pytest.raises(DocumentError, match="holds no corpus"):
        load_truth(tmp_path)
    (tmp_path / "truth.json").write_text("{")
    with pytest.raises(DocumentError, match="damaged"):
        load_truth(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DocumentError, match="cannot be written"):
        make_corpus(tmp_path / "file", ["quarterly"])
