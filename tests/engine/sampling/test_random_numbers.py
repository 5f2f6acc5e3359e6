"""Random numbers that depend on the seed and the place only."""

from __future__ import annotations

from mistralet.engine.sampling.random_numbers import uniform


def test_the_numbers_are_the_same_on_every_platform() -> None:
    # Made with another implementation of SplitMix64: the outputs of a state that is the first output of the seed's.
    assert [uniform(seed, index) for seed, index in [(0, 0), (0, 1), ((1 << 63) - 1, 131071)]] == [
        0.6524484863740322,
        0.7012121095215252,
        0.6374942878925155,
    ]


def test_all_of_the_interval_is_met_evenly() -> None:
    """Of one seed over places, and of one place over neighbouring seeds: chi-square, 19 degrees of freedom."""
    for numbers in ([uniform(1, index) for index in range(4000)], [uniform(seed, 0) for seed in range(4000)]):
        counts = [0] * 20
        for number in numbers:
            counts[int(number * 20)] += 1
        assert sum((count - 200) ** 2 / 200 for count in counts) < 43.8  # exceeded once in a thousand


def test_neighbours_in_seed_and_place_have_nothing_in_common() -> None:
    numbers = {uniform(seed, index) for seed in range(60) for index in range(60)}
    assert len(numbers) == 3600
