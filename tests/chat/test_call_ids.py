from __future__ import annotations

import re
import string
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.chat import Message, ToolCall, call_ids
from mistralet.chat.call_ids import CallIds

NINE = re.compile(r"[a-zA-Z0-9]{9}")
ANY_ID = st.one_of(
    st.text(min_size=1), st.text(string.ascii_letters + string.digits, min_size=9, max_size=9), st.just("a\udc00")
)


def calls(*ids: str) -> list[Message]:
    return [Message("assistant", "", tuple(ToolCall(call_id, "f", "{}") for call_id in ids))]


@settings(deadline=None, derandomize=True)
@given(st.lists(ANY_ID, unique=True))
def test_there_and_back(ids: list[str]) -> None:
    mapped = CallIds(calls(*ids))
    nines = [mapped.to_model(call_id) for call_id in ids]
    assert all(NINE.fullmatch(nine) for nine in nines)
    assert len(set(nines)) == len(ids)
    assert [mapped.to_caller(nine) for nine in nines] == ids
    assert all(nine == call_id for nine, call_id in zip(nines, ids, strict=True) if NINE.fullmatch(call_id))


@settings(deadline=None, derandomize=True)
@given(st.lists(ANY_ID, unique=True, max_size=8))
def test_an_id_is_the_same_in_every_turn(ids: list[str]) -> None:
    turns = [CallIds(calls(*ids[:length])) for length in range(len(ids) + 1)]
    for earlier, later in pairwise(turns):
        assert all(earlier.to_model(call_id) == later.to_model(call_id) for call_id in ids)


def test_known_ids() -> None:
    # Kept prompts hold these: another hash would make them useless.
    ids = CallIds()
    assert ids.to_model("call_1") == "Cn4EhgXRh"
    assert ids.to_model("abcdefghi\n") != "abcdefghi"
    assert ids.to_caller("Cn4EhgXRh") == "call_1"
    assert ids.to_caller("unknown00") == "unknown00"


def test_an_id_that_fits_is_not_taken_by_the_hash_of_another() -> None:
    nine = CallIds().to_model("call_1")
    for ids in (["call_1", nine], [nine, "call_1"]):
        mapped = CallIds(calls(*ids))
        assert mapped.to_model(nine) == nine
        assert mapped.to_model("call_1") != nine
        assert mapped.to_caller(mapped.to_model("call_1")) == "call_1"


def test_an_id_that_fits_and_comes_late_is_told_from_the_hash_it_equals() -> None:
    mapped = CallIds(calls("call_1"))
    nine = mapped.to_model("call_1")
    assert mapped.to_model(nine) != nine
    assert mapped.to_caller(mapped.to_model(nine)) == nine


def test_results_count_too() -> None:
    mapped = CallIds([Message("tool", "x", tool_call_id="call_1")])
    assert mapped.to_caller("Cn4EhgXRh") == "call_1"


def test_new_ids_fit_and_are_new(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter("aaaaaaaaabbbbbbbbbaaaaaaaaabbbbbbbbbccccccccc")
    monkeypatch.setattr(call_ids.secrets, "choice", lambda _: next(drawn))
    mapped = CallIds(calls("aaaaaaaaa"))
    assert mapped.new() == "bbbbbbbbb"
    assert mapped.new() == "ccccccccc"
    assert mapped.to_caller("ccccccccc") == mapped.to_model("ccccccccc") == "ccccccccc"


def test_new_ids_are_drawn_at_random() -> None:
    mapped = CallIds()
    new = [mapped.new() for _ in range(1000)]
    assert len(set(new)) == 1000
    assert all(NINE.fullmatch(nine) for nine in new)
    assert len({nine[0] for nine in new}) > 50
