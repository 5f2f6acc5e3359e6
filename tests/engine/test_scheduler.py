"""How the tokens of a step are shared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mistralet.engine.pace import Pace
from mistralet.engine.scheduler import share


@given(st.integers(0, 600), st.lists(st.integers(1, 1000), max_size=8))
def test_all_of_a_budget_is_given_to_those_who_want_it(budget: int, wants: list[int]) -> None:
    shares = share(budget, wants)
    assert sum(shares) == min(budget, sum(wants))
    assert all(0 <= given <= want for given, want in zip(shares, wants, strict=True))
    if wants:
        assert shares[0] >= min(wants[0], -(-budget // 2))


def test_the_shortest_pass_a_long_one() -> None:
    assert share(100, [1000, 300, 20, 30]) == [50, 0, 20, 30]
    assert share(100, [1000, 20]) == [80, 20]


def test_the_pace_follows_what_was_measured_and_leaves_time_for_those_who_decode() -> None:
    pace = Pace(most=512)
    first = pace.budget(decoding=False)
    assert 0 < first < 512
    pace.record(64, 6.4)  # a tenth of a second a token
    assert pace.budget(decoding=False) == 32  # never less than keeps the kernels busy
    for _ in range(20):
        pace.record(64, 0.064)
    assert pace.budget(decoding=False) == 512
    assert pace.budget(decoding=True) == 224


def test_small_steps_tell_nothing_of_the_pace() -> None:
    pace = Pace(most=512)
    before = pace.budget(decoding=False)
    pace.record(3, 100.0)
    assert pace.budget(decoding=False) == before


def test_the_most_tokens_of_a_step_are_never_passed() -> None:
    pace = Pace(most=10)
    assert pace.budget(decoding=False) == 10
    pace.record(64, 0.001)
    assert pace.budget(decoding=False) == pace.budget(decoding=True) == 10
