"""Scores are those of the benchmarks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.documents.json_leaves import Scalar
from mistralet.evals.scores import anls, f1, field_f1, final_answer, relaxed_accuracy, same_value


@pytest.mark.parametrize(
    ("answer", "accepted", "score"),
    [
        ("Paris", ["paris"], 1.0),
        ("Paris.", ["London", "Paris"], 1.0),
        ("  3  March ", ["3 march"], 1.0),
        ("Parix", ["Paris"], 0.8),
        ("abcd", ["abxy"], 0.5),
        ("abcde", ["abxyz"], 0.0),  # 0.4 is below the threshold
        ("", ["x"], 0.0),
        ("x", [], 0.0),
        ("5%", ["5"], 0.5),
    ],
)
def test_anls(answer: str, accepted: list[str], score: float) -> None:
    assert anls(answer, accepted) == pytest.approx(score)


def test_anls_without_threshold() -> None:
    assert anls("abcde", ["abxyz"], 0.0) == pytest.approx(0.4)


@given(st.text(max_size=20), st.text(max_size=20))
def test_anls_is_a_share_and_that_of_the_better_answer(one: str, other: str) -> None:
    score = anls(one, [other])
    assert 0 <= score <= 1
    assert anls(one, [other, one]) == 1.0
    assert anls(other, [one]) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "accepted", "right"),
    [
        ("100", "100", True),
        ("104.9", "100", True),
        ("105.1", "100", False),
        ("$1,000", "1000", True),
        ("0.25", "25%", True),
        ("25%", "0.25", True),
        ("blue", "Blue.", True),
        ("blu", "blue", False),
        ("", "0", False),
        ("0", "0", True),
        ("nan", "nan", True),
        ("-5", "5", False),
    ],
)
def test_relaxed_accuracy(answer: str, accepted: str, right: bool) -> None:
    assert relaxed_accuracy(answer, [accepted]) == float(right)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("It rises.\nFinal Answer: 42", "42"),
        ("**Final Answer:** *Q3*\nas I said", "Q3"),
        ("answer: 1\nAnswer: 2", "2"),
        ("just 7", "just 7"),
        ("Final Answer:", ""),
        ("", ""),
    ],
)
def test_the_final_answer_of_one_that_thinks_aloud(text: str, answer: str) -> None:
    assert final_answer(text) == answer


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ann  LEE", "Ann Lee", True),
        ("DE02 1203", "de021203", True),
        (5, "5.00", True),
        (5.001, 5, True),
        (5.02, 5, False),
        ("2025-03-07", "7 March 2025", True),
        ("2025-03-07", "2025-03-08", False),
        (True, True, True),
        (True, 1, False),
        (None, "", False),
    ],
)
def test_values_that_say_the_same(one: Scalar, other: Scalar, same: bool) -> None:
    assert same_value(one, other) is same
    assert same_value(other, one) is same


def test_fields_that_are_missing_or_made_up_cost_their_share() -> None:
    counts = field_f1({"a": 1, "b": "x", "c": None, "d": "made up"}, {"a": 1.0, "b": "y", "c": 3})
    assert counts == (1, 3, 3)
    assert f1(*counts) == pytest.approx(1 / 3)
    assert f1(0, 0, 0) == 1.0
