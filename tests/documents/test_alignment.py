"""Versions are laid beside each other: nothing lost, nothing invented, what moved is known again."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.documents.alignment import align, changes, marks
from mistralet.documents.paragraphs import Paragraph

RENT = "The tenant pays a rent of 900 euros on the first day of each month."
PETS = "Pets need the consent of the landlord, which is given in writing."
ROOF = "The landlord keeps the roof, the walls and the pipes in repair."
KEYS = "All keys are handed back on the last day of the lease."


def version(*texts: str) -> list[Paragraph]:
    return [Paragraph(str(number), text, 1) for number, text in enumerate(texts, 1)]


def kinds(old: list[Paragraph], new: list[Paragraph]) -> list[tuple[str, str, str]]:
    return [(change.kind, change.old_text, change.new_text) for change in changes(align(old, new))]


def test_new_numbers_alone_are_no_change() -> None:
    assert kinds(version(RENT, PETS), [Paragraph("7", RENT, 3), Paragraph("8", PETS, 4)]) == []


def test_a_changed_paragraph_is_one_change() -> None:
    new = RENT.replace("900", "950")
    assert kinds(version(RENT, PETS), version(new, PETS)) == [("changed", RENT, new)]


def test_what_came_and_went() -> None:
    assert kinds(version(RENT, PETS), version(RENT, KEYS)) == [("removed", PETS, ""), ("added", "", KEYS)]


def test_neighbours_that_came_together_are_one_change() -> None:
    assert kinds(version(RENT), version(RENT, KEYS, ROOF)) == [("added", "", f"{KEYS}\n{ROOF}")]


def test_what_moved_is_known_again_even_if_its_words_changed_a_little() -> None:
    later = ROOF.replace("the pipes", "all pipes")
    assert kinds(version(ROOF, RENT, PETS, KEYS), version(RENT, PETS, KEYS, later)) == [("moved", ROOF, later)]


@pytest.mark.parametrize(
    "new", [RENT.replace(" pays", "  pays"), RENT.replace("The", "THE"), RENT.replace("first day", "first-day")]
)
def test_what_only_looks_different(new: str) -> None:
    assert kinds(version(RENT), version(new)) == [("cosmetic", RENT, new)]


TEXTS = st.lists(st.sampled_from([RENT, PETS, ROOF, KEYS, "Short.", RENT.replace("900", "700")]), max_size=7)


@given(TEXTS, TEXTS)
def test_every_paragraph_of_both_is_in_one_pair(old: list[str], new: list[str]) -> None:
    before, after = version(*old), version(*new)
    pairs = align(before, after)
    assert [pair.new for pair in pairs if pair.new is not None] == after
    assert Counter(id(pair.old) for pair in pairs if pair.old is not None) == Counter(map(id, before))


@given(TEXTS)
def test_a_version_is_like_itself(texts: list[str]) -> None:
    assert changes(align(version(*texts), version(*texts))) == []


@given(st.text("ab ,.", max_size=40), st.text("ab ,.", max_size=40))
def test_marks_give_both_versions(old: str, new: str) -> None:
    found = marks(old, new)
    assert "".join(text for side, text in found if side != "new") == old
    assert "".join(text for side, text in found if side != "old") == new
