"""Comparisons: changes explained and rated, and the page that shows them."""

from __future__ import annotations

import asyncio
import json
from html.parser import HTMLParser

import pytest

from mistralet.documents import Document, Planned, Progress
from mistralet.documents.compare import Comparison, compare
from mistralet.documents.compare_page import compare_page
from mistralet.documents.opening import open_bytes
from mistralet.errors import DocumentError
from mistralet.evals.corpus.contracts import make_contracts
from support.documents import typed_document
from support.scripted_chat import ScriptedChat, Turn

OLD = typed_document("1. Rent\n\nThe rent is 900 a month.\n\n2. Pets\n\nPets are allowed here.", name="old.pdf")
NEW = typed_document("1. Rent\n\nThe rent is 950 a month.\n\n2. Pets\n\nPets are allowed Here.", name="new.pdf")
TOLD = json.dumps({"explanation": "The rent rises by 50.", "importance": "high", "topic": "amount"})


def compared(model: ScriptedChat | None, old: Document = OLD, new: Document = NEW) -> Comparison:
    *_, result = events_of(model, old, new)
    assert isinstance(result, Comparison)
    return result


def events_of(model: ScriptedChat | None, old: Document = OLD, new: Document = NEW) -> list[object]:
    async def collect() -> list[object]:
        return [event async for event in compare(model, old, new)]

    return asyncio.run(collect())


def test_changes_are_explained_and_what_only_looks_different_is_not_asked_about() -> None:
    model = ScriptedChat([TOLD])
    rent, pets = compared(model).changes
    assert (rent.explanation, rent.importance, rent.topic) == ("The rent rises by 50.", "high", "amount")
    assert (pets.change.kind, pets.importance, pets.explanation) == ("cosmetic", "cosmetic", "")
    assert len(model.requests) == 1
    content = model.requests[0].messages[-1].content
    assert content == "Old:\nThe rent is 900 a month.\n\nNew:\nThe rent is 950 a month."


def test_its_course_is_told() -> None:
    events = events_of(ScriptedChat([TOLD]))
    assert events[0] == Planned("4 and 4 paragraphs, 2 changes.")
    assert Progress("Explaining changes", 1, 1) in events


def test_without_a_model_changes_are_found_and_not_rated() -> None:
    rent, pets = compared(None).changes
    assert (rent.importance, pets.importance) == (None, "cosmetic")


def test_an_explanation_that_is_cut_is_left_out() -> None:
    rent, _ = compared(ScriptedChat([Turn('{"explanation": "The', reason="length")])).changes
    assert (rent.explanation, rent.importance) == ("", None)


def test_a_document_without_text_is_told() -> None:
    with pytest.raises(DocumentError, match=r"blank\.pdf holds no text"):
        compared(None, typed_document("", name="blank.pdf"))


class Strict(HTMLParser):
    """Notes what is opened and never closed, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "meta":
            self.open.append(tag)
        told = dict(attrs)
        self.links += [str(told["href"])] if "href" in told else []
        self.ids += [str(told["id"])] if "id" in told else []

    def handle_endtag(self, tag: str) -> None:
        if tag == "li":
            while self.open[-1] != "li":
                self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_well_formed_and_leads_to_each_change() -> None:
    page = Strict()
    page.feed(compare_page(compared(ScriptedChat([TOLD]))))
    assert page.open == []
    assert page.links == ["#c1", "#c2"]
    assert page.ids == ["c1", "c2"]
    assert "The rent rises by 50." in page.text


def test_nothing_in_the_texts_becomes_part_of_the_page() -> None:
    evil = "<script>alert(1)</script> & <b>bold</b>"
    old = typed_document(f"1. Rent {evil}", name="<i>old</i>.pdf")
    new = typed_document(f"1. Rent {evil} more", name="new.pdf")
    told = json.dumps({"explanation": evil, "importance": "low", "topic": "other"})
    html = compare_page(compared(ScriptedChat([told]), old, new))
    assert "<script" not in html
    assert "<b>bold" not in html
    assert "<i>old" not in html
    assert "http" not in html.replace("http-equiv", "")


def test_equal_versions() -> None:
    result = compared(None, OLD, OLD)
    assert result.changes == ()
    assert "Nothing changed." in compare_page(result)


@pytest.fixture(scope="module")
def contracts() -> dict[str, bytes]:
    return make_contracts()[0]


@pytest.mark.parametrize("kind", ["pdf", "docx"])
@pytest.mark.parametrize("name", ["service", "lease", "supply"])
def test_every_change_of_the_sample_contracts_is_found_and_none_invented(
    name: str, kind: str, contracts: dict[str, bytes]
) -> None:
    _, truths = make_contracts()
    (truth,) = [each for each in truths if each.file == f"{name}-v2.pdf"]
    sides = [open_bytes(contracts[f"{name}-v{version}.{kind}"], f"v{version}.{kind}") for version in (1, 2)]
    found = [each.change for each in compared(None, *sides).changes]
    # Two spaces in place of one are not seen in a PDF.
    known = [change for change in truth.changes if change.kind != "cosmetic" or change.new.casefold() != change.new]
    for change in known:
        if change.kind == "cosmetic" and "  " in change.new:
            continue
        kinds = {change.kind} & {"added", "removed", "moved", "cosmetic"} or {"changed"}
        matching = [
            each for each in found if each.kind in kinds and change.old in each.old_text and change.new in each.new_text
        ]
        assert len(matching) == 1, change
        found.remove(matching[0])
    assert [each for each in found if each.kind != "cosmetic"] == []
