"""Quotes are found where they stand, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mistralet.documents import Box, Citation, Page, cite, find_quote
from support.documents import typed_document

CONTRACT = typed_document(
    "The notice period is\nthree months. Its “end” is\nthe inspec-\ntion — in April.", "Page two: The rent is 1,200."
)


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ("notice period", "notice period"),
        ("NOTICE   PERIOD IS THREE", "notice period is\nthree"),
        ('its "end" is', "Its “end” is"),
        ("the inspection - in", "the inspec-\ntion — in"),
        ("  months.  ", "months."),
    ],
)
def test_a_quote_is_found_as_it_stands(quote: str, stands: str) -> None:
    page = CONTRACT.page(1)
    found = find_quote(page, quote)
    assert found is not None
    assert page.text[slice(*found)] == stands


@pytest.mark.parametrize("quote", ["", "  \n", "otice period", "inspect", "four months", "period three"])
def test_what_does_not_stand_there_is_not_found(quote: str) -> None:
    assert find_quote(CONTRACT.page(1), quote) is None


def test_a_later_whole_word_is_found_behind_a_part_of_one() -> None:
    page = Page(1, "apples, an apple")
    assert find_quote(page, "apple") == (11, 16)


def test_a_citation_has_its_page_and_a_box_for_each_line() -> None:
    boxes = (Box(180, 0, 200, 20), Box(0, 20, 130, 40))
    assert cite(CONTRACT, "is three months") == Citation("typed.pdf", 1, "is\nthree months", boxes)
    assert cite(CONTRACT, "the rent") == Citation("typed.pdf", 2, "The rent", (Box(100, 0, 180, 20),))


def test_only_the_pages_asked_for_are_looked_at() -> None:
    assert cite(CONTRACT, "the rent", [1]) is None
    assert cite(CONTRACT, "the", [2, 1]) == cite(CONTRACT, "the", [2])


@given(st.text("abcßİﬁ.,'“é \n", max_size=60), st.data())
def test_every_stretch_of_whole_words_is_found(text: str, data: st.DataObject) -> None:
    page = Page(1, text)
    words = text.split()
    assume(words)
    begin = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(begin + 1, len(words)))
    found = find_quote(page, " ".join(words[begin:end]))
    assert found is not None
    assert page.text[slice(*found)].split() == words[begin:end]
