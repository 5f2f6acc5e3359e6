"""What a request may say about repetition."""

from __future__ import annotations

from typing import Any

import pytest

from mistralet.engine.repetition import RepetitionParams
from mistralet.errors import UsageError


def test_it_is_on_by_default() -> None:
    assert RepetitionParams().is_active
    assert RepetitionParams().policy != "off"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"policy": "never"}, "must be one of off, stop, steer"),
        ({"max_pattern_size": -1, "min_count": 2}, "negative"),
        ({"max_pattern_size": 4, "min_count": 1}, "raise it"),
        ({"max_pattern_size": 4, "min_pattern_size": 5, "min_count": 2}, "at least as many"),
        ({"min_count": 3}, "without max_pattern_size"),
    ],
)
def test_a_wrong_value_is_refused_with_a_remedy(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        RepetitionParams(**fields)


def test_off_with_a_pattern_rule_still_watches() -> None:
    assert not RepetitionParams("off").is_active
    assert RepetitionParams("off", max_pattern_size=8, min_count=3).is_active
