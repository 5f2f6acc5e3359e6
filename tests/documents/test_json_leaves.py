"""The values of a JSON text are found where they stand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mistralet.documents.json_leaves import dotted, leaves, leaves_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_each_value_is_where_it_is_said_to_be(value: object, indent: int | str | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    found = leaves(text)
    assert [(leaf.path, leaf.value) for leaf in found] == list(leaves_of(value))
    for leaf in found:
        stated = text[leaf.start : leaf.end]
        assert json.loads(f'"{stated}"' if isinstance(leaf.value, str) else stated) == leaf.value


@pytest.mark.parametrize("text", ["", "{", '{"a":}', "[1,]", "nul", '"a'])
def test_a_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        leaves(text)


def test_paths_as_people_write_them() -> None:
    assert dotted(("items", 0, "price")) == "items[0].price"
    assert dotted((0, "a")) == "[0].a"
    assert dotted(()) == ""
