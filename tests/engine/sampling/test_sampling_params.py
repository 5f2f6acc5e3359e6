"""Which parameters are refused, and what follows from those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from mistralet.engine import SamplingParams
from mistralet.errors import UsageError


@pytest.mark.parametrize(
    "changes",
    [
        *({"temperature": value} for value in (-0.1, 101, float("nan"), float("inf"))),
        *({"top_k": value} for value in (-1, 1 << 31)),
        *({"top_p": value} for value in (0, -0.1, 1.1, float("nan"))),
        *({"min_p": value} for value in (-0.1, 1.1, float("nan"))),
        *({"repetition_penalty": value} for value in (0, -1, 101, float("nan"))),
        *({"presence_penalty": value} for value in (-2.1, 2.1, float("nan"))),
        *({"frequency_penalty": value} for value in (-2.1, 2.1, float("nan"))),
        *({"dry_multiplier": value} for value in (-1, float("nan"))),
        *({"dry_base": value} for value in (0.9, float("inf"))),
        {"dry_allowed_length": 0},
        {"dry_range": -1},
        *({"n": value} for value in (0, 129)),
        *({"logprobs": value} for value in (-1, 21)),
        *({"prompt_logprobs": value} for value in (-1, 21)),
        *({"max_tokens": value} for value in (0, -1)),
        *({"min_tokens": value} for value in (-1,)),
        {"min_tokens": 3, "max_tokens": 2},
        *({"seed": value} for value in (-1, 1 << 63)),
        *({"logit_bias": {5: value}} for value in (-100.5, 101, float("nan"))),
        {"dry_sequence_breakers": ["a", ""]},
        {"stop": ["", "a"]},
    ],
    ids=repr,
)
def test_a_value_out_of_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"^The [^.]* (is .*|holds .*), but .*[^.]\.$"):
        SamplingParams(**changes)


@pytest.mark.parametrize("changes", [{"logit_bias": {-1: 1}}, {"stop_token_ids": [1 << 31]}], ids=repr)
def test_what_cannot_be_a_token_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="token id"):
        SamplingParams(**changes)


@pytest.mark.parametrize("changes", [{"top_p": 1}, {"min_p": 1}, {"logprobs": 0}, {"seed": (1 << 63) - 1}, {"n": 128}])
def test_the_ends_of_a_range_are_taken(changes: dict[str, Any]) -> None:
    SamplingParams(**changes)


def test_without_a_seed_each_has_its_own() -> None:
    assert len({SamplingParams().seed for _ in range(8)}) == 8


def test_a_lone_stop_string_is_not_taken_for_its_letters() -> None:
    assert SamplingParams(stop="END").stop == ("END",)


def test_stop_tokens_are_the_models_and_the_requests() -> None:
    model = frozenset({2})
    assert SamplingParams().stop_ids(model) == {2}
    assert SamplingParams(stop_token_ids=[5]).stop_ids(model) == {2, 5}
    assert SamplingParams(stop_token_ids=[5], ignore_eos=True).stop_ids(model) == {5}


def test_each_of_several_answers_has_a_seed_of_its_own_the_first_one_the_requests() -> None:
    params = SamplingParams(n=128, seed=7, temperature=0.3)
    choices = [params.of_choice(choice) for choice in range(128)]
    assert choices[0] == SamplingParams(seed=7, temperature=0.3)
    assert len({choice.seed for choice in choices}) == 128
    assert {choice.temperature for choice in choices} == {0.3}
