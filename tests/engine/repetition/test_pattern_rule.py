"""vLLM's rule for exact patterns, against the definition of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mistralet.engine.repetition import RepetitionParams
from mistralet.engine.repetition.pattern_rule import PatternRule


def smallest_pattern(ids: list[int], params: RepetitionParams) -> int:
    for size in range(max(params.min_pattern_size, 1), params.max_pattern_size + 1):
        tail = ids[-size * params.min_count :]
        if len(tail) == size * params.min_count and tail == tail[:size] * params.min_count:
            return size
    return 0


@given(
    ids=st.lists(st.integers(0, 2), max_size=60),
    smallest=st.integers(0, 3),
    more=st.integers(1, 4),
    count=st.integers(2, 4),
)
def test_it_says_after_each_token_what_the_definition_says(
    ids: list[int], smallest: int, more: int, count: int
) -> None:
    params = RepetitionParams("off", max_pattern_size=smallest + more, min_pattern_size=smallest, min_count=count)
    rule = PatternRule(params)
    for end, token in enumerate(ids, 1):
        assert rule.push(token) == smallest_pattern(ids[:end], params)


def test_a_long_output_does_not_outgrow_its_memory() -> None:
    rule = PatternRule(RepetitionParams("off", max_pattern_size=3, min_count=4))
    assert not any(rule.push(token) for token in range(5000))
    assert [rule.push(token) for token in [7, 8, 9] * 4] == [0] * 11 + [3]
