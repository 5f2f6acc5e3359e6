"""Foreign names become valid ones: always, without two alike, and those that are valid stay."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.agents.foreign import not_shown, shortened, tool_names
from mistralet.errors import UsageError

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


FOREIGN = st.text(max_size=8) | st.text("ab_/.", max_size=4) | st.integers(60, 70).map("x".__mul__)


@given(st.lists(FOREIGN, max_size=8), st.sampled_from(["", "p_"]))
def test_names_are_valid_and_different(foreign: list[str], prefix: str) -> None:
    names = tool_names(foreign, prefix)
    assert list(names) == list(dict.fromkeys(foreign))
    assert len(set(names.values())) == len(names)
    for name, given_name in names.items():
        assert NAME.fullmatch(given_name)
        assert given_name.startswith(prefix)
        if NAME.fullmatch(prefix + name) and name:
            assert given_name == prefix + name


def test_names_stay_readable() -> None:
    names = tool_names(["files/read", "files.read", "files_read", "Größe ändern", "查找", "x" * 80, "x" * 90])
    assert list(names.values()) == [
        "files_read_2",
        "files_read_3",
        "files_read",
        "Groe_andern",
        "tool",
        "x" * 64,
        "x" * 62 + "_2",
    ]


@pytest.mark.parametrize("prefix", ["a b", "ä", "x" * 33])
def test_prefixes_that_are_wrong(prefix: str) -> None:
    with pytest.raises(UsageError, match="prefix"):
        tool_names([], prefix)


def test_descriptions_are_bounded() -> None:
    assert shortened("  a  ") == "a"
    assert shortened("x" * 3000) == "x" * 1999 + "…"


def test_sizes() -> None:
    assert not_shown("image", 34_400) == "[image, 34 kB, not shown]"
    assert not_shown("image", 7) == "[image, 7 bytes, not shown]"
