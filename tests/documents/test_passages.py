"""Sentences of pages, whole and in their places."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.documents.passages import passages, sentences
from support.documents import typed_document


def parts(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It costs 3.5 euros. It is paid.", ["It costs 3.5 euros.", "It is paid."]),
        ("See Art. 5 of Dr. Sol.", ["See Art. 5 of Dr. Sol."]),
        ("a line\nthat goes on. Next", ["a line\nthat goes on.", "Next"]),
        ("Head\n\nBody text", ["Head", "Body text"]),
        ("He said “Go.” Then left.", ["He said “Go.”", "Then left."]),
        ("¿Qué? ¡Sí! Él.", ["¿Qué?", "¡Sí!", "Él."]),
        ("Safety\nWear gloves at all times. Then go.", ["Safety", "Wear gloves at all times.", "Then go."]),
        ("Manual\nPage 3\nthe rest of it", ["Manual", "Page 3\nthe rest of it"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert parts(text) == expected


@given(st.text("ab. \n!?A1|", max_size=900))
def test_nothing_but_spaces_is_left_out(text: str) -> None:
    document = typed_document(text)
    found = passages(document, document.page(1))
    covered = "".join(text[passage.start : passage.end] for passage in found)
    assert "".join(covered.split()) == "".join(text.split())
    assert all(passage.end - passage.start <= 400 for passage in found)
    assert all(one.end <= other.start for one, other in pairwise(found))
