"""Every parameter against its plain meaning, for the native kernel, plain PyTorch and the operations for GPUs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mistralet.engine import SamplingParams
from mistralet.engine.sampling import Sampled, Sampler, SamplerRow, distribution, on_device
from mistralet.engine.sampling.sampled import NOT_A_NUMBER, NOTHING_ALLOWED
from mistralet.native import kernels
from support.any_sampling import bits, parameters
from support.plain_sampling import plain_distribution, plain_scores

PATHS = ["plain", "on device", *(kernels.instruction_sets() if kernels else ())]
VOCABULARIES = [5, 127, 128, 300, 2000]


@pytest.fixture(autouse=True)
def default_configuration() -> Iterator[None]:
    yield
    if kernels:
        kernels.configure(2, kernels.instruction_sets()[0])


def sampler_of(path: str, threads: int = 1) -> Callable[[Tensor, list[SamplerRow]], list[Sampled]]:
    if path == "on device":
        return on_device.sample
    if path != "plain" and kernels is not None:
        kernels.configure(threads, path)
    return Sampler(use_native=path != "plain")


def random_scores(rows: int, vocab_size: int, seed: int = 0, spread: float = 3.0) -> Tensor:
    return torch.randn(rows, vocab_size, generator=torch.Generator().manual_seed(seed)) * spread


def draw(path: str, scores: Tensor, params: SamplingParams, count: int, **sequence: Any) -> list[int]:
    """Tokens for the first places of an output that all have the same scores."""
    rows = [SamplerRow(params, **sequence).after([0] * place) for place in range(count)]
    return [sampled.token for sampled in sampler_of(path)(scores.repeat(count, 1), rows)]


@settings(deadline=None, max_examples=25)
@given(
    params=parameters(),
    vocab_size=st.sampled_from(VOCABULARIES),
    prompt=st.lists(st.integers(0, 4), max_size=20),
    output=st.lists(st.integers(0, 4), max_size=20),
    breakers=st.frozensets(st.integers(0, 4), max_size=2),
    allowed=st.none() | st.sets(st.integers(0, 4), min_size=1),
    seed=st.integers(0, 1000),
)
def test_all_parameters_together_mean_what_they_mean_one_by_one(
    params: SamplingParams,
    vocab_size: int,
    prompt: list[int],
    output: list[int],
    breakers: frozenset[int],
    allowed: set[int] | None,
    seed: int,
) -> None:
    scores = random_scores(1, vocab_size, seed)[0]
    row = SamplerRow(params, prompt, output, breakers=breakers)
    if allowed is not None:
        row.allowed = bits(allowed, vocab_size)
    changed = plain_scores(scores.tolist(), params, prompt, output, breakers, allowed)
    expected = torch.tensor(plain_distribution(changed, params), dtype=torch.float64)
    ours = distribution(scores, row)
    # Where the edge of what is kept lies within rounding, one token may be in or out.
    assert ((ours - expected).abs() > 1e-5).sum() == 0 or ((ours > 0) != (expected > 0)).sum() == 1
    token = Sampler()(scores[None].clone(), [row])[0].token
    below, upto = ours[:token].sum(), ours[: token + 1].sum()
    share = share_of(row)
    assert below - 1e-5 <= share <= upto + 1e-5


def share_of(row: SamplerRow) -> float:
    from mistralet.engine.sampling.random_numbers import uniform

    return uniform(row.params.seed, row.index)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.3},
        {"temperature": 1},
        {"temperature": 4},
        {"top_k": 1},
        {"top_k": 3},
        {"top_k": 40},
        {"top_p": 0.3},
        {"top_p": 0.9},
        {"top_p": 0.999},
        {"min_p": 0.1},
        {"top_k": 30, "top_p": 0.8},
        {"top_k": 30, "top_p": 0.8, "min_p": 0.05},
    ],
    ids=repr,
)
@pytest.mark.parametrize("vocab_size", [130, 2000])
@pytest.mark.parametrize("spread", [0.5, 3])
def test_the_kernel_draws_the_same_tokens_as_plain_pytorch(
    path: str, changes: dict[str, Any], vocab_size: int, spread: float
) -> None:
    scores = random_scores(1, vocab_size, spread=spread)
    params = SamplingParams(**{"temperature": 1.0, "seed": 5} | changes)
    assert draw(path, scores, params, 40) == draw("plain", scores, params, 40)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 2.5},
        {"top_k": 4},
        {"top_p": 0.8},
        {"min_p": 0.2},
        {"logit_bias": {3: 2, 1: -1}},
        {"repetition_penalty": 1.5},
        {"presence_penalty": 1},
        {"frequency_penalty": 0.5},
        {"dry_multiplier": 1, "dry_allowed_length": 1},
    ],
    ids=repr,
)
def test_tokens_come_as_often_as_their_probability_says(path: str, changes: dict[str, Any]) -> None:
    """Chi-square with up to 7 degrees of freedom; 29.9 is exceeded once in 10,000."""
    scores = random_scores(1, 8, spread=1)
    params = SamplingParams(**{"temperature": 1.0, "seed": 11} | changes)
    prompt, output = [1, 2, 3, 1, 5], [2, 3, 3, 2]
    expected = plain_distribution(plain_scores(scores[0].tolist(), params, prompt, output), params)
    rows = [SamplerRow(replace(params, seed=seed), prompt, output) for seed in range(800)]
    drawn = Counter(sampled.token for sampled in sampler_of(path)(scores.repeat(800, 1), rows))
    assert {token for token, probability in enumerate(expected) if probability == 0}.isdisjoint(drawn)
    assert sum((drawn[t] - 800 * p) ** 2 / (800 * p) for t, p in enumerate(expected) if p > 0) < 29.9


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("vocab_size", VOCABULARIES)
def test_without_temperature_the_first_of_the_likeliest_is_taken(path: str, vocab_size: int) -> None:
    scores = random_scores(20, vocab_size)
    ties = scores.round()
    rows = [SamplerRow(SamplingParams(temperature=0))] * 20
    assert [s.token for s in sampler_of(path)(scores.clone(), rows)] == scores.argmax(-1).tolist()
    first = [int((row == row.max()).nonzero()[0]) for row in ties]
    assert [s.token for s in sampler_of(path)(ties.clone(), rows)] == first


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "changes",
    [{"temperature": t} for t in (1e-300, 1e-45, 1e-38, 1e-20, 1e-4)]
    + [{"temperature": 9, "top_k": 1}, {"temperature": 9, "top_p": 1e-9}, {"temperature": 9, "min_p": 1.0}],
    ids=repr,
)
def test_what_leaves_only_the_likeliest_token_takes_it(path: str, changes: dict[str, Any]) -> None:
    scores = random_scores(1, 300)
    assert draw(path, scores, SamplingParams(seed=3, **changes), 20) == [int(scores.argmax())] * 20


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("changes", [{"top_k": 2000}, {"top_p": 1.0}, {"min_p": 0.0}, {"min_p": 1e-30}], ids=repr)
def test_what_leaves_all_tokens_changes_nothing(path: str, changes: dict[str, Any]) -> None:
    scores = random_scores(1, 2000)
    params = SamplingParams(temperature=1.5, seed=4)
    assert draw(path, scores, replace(params, **changes), 50) == draw(path, scores, params, 50)


@pytest.mark.parametrize("path", PATHS)
def test_of_equals_at_the_edge_top_k_keeps_the_first_and_top_p_all(path: str) -> None:
    scores = torch.tensor([[0.0, 1.0, 1.0, 1.0, 0.0]])
    assert set(draw(path, scores, SamplingParams(temperature=1, top_k=2, seed=0), 60)) == {1, 2}
    assert set(draw(path, scores, SamplingParams(temperature=1, top_p=0.1, seed=0), 60)) == {1, 2, 3}


@pytest.mark.parametrize("path", PATHS)
def test_a_mask_leaves_the_allowed_tokens_in_their_proportion(path: str) -> None:
    scores = random_scores(1, 300, spread=1)
    allowed = {0, 31, 32, 63, 200, 299}
    rows = [SamplerRow(SamplingParams(temperature=1, seed=seed)) for seed in range(400)]
    for row in rows:
        row.allowed = bits(allowed, 300)
    drawn = [s.token for s in sampler_of(path)(scores.repeat(400, 1), rows)]
    only = torch.full_like(scores, -torch.inf)
    only[0, list(allowed)] = scores[0, list(allowed)]
    assert set(drawn) == allowed
    rows = [SamplerRow(SamplingParams(temperature=1, seed=seed)) for seed in range(400)]
    assert drawn == [s.token for s in sampler_of(path)(only.repeat(400, 1), rows)]


@pytest.mark.parametrize("path", PATHS)
def test_a_mask_shorter_than_the_vocabulary_forbids_the_rest(path: str) -> None:
    row = SamplerRow(SamplingParams(temperature=0))
    row.allowed = bits({3}, 32)
    assert sampler_of(path)(torch.arange(300.0)[None], [row])[0].token == 3


@pytest.mark.parametrize("path", PATHS)
def test_a_bias_of_one_step_is_added_to_that_of_the_request(path: str) -> None:
    row = SamplerRow(SamplingParams(temperature=0, logit_bias={2: 3, 4: -50, 999: 100}))
    sampler = sampler_of(path)
    scores = torch.tensor([[0.0, 1.0, 0.0, 0.0, 9.0]])
    assert sampler(scores.clone(), [row])[0].token == 2
    row.bias = {2: -3, 3: 2.5, 999: 7}
    assert sampler(scores.clone(), [row])[0].token == 3
    row.bias = None
    assert sampler(scores.clone(), [row])[0].token == 2


@pytest.mark.parametrize("path", PATHS)
def test_no_stop_token_comes_before_min_tokens(path: str) -> None:
    output: list[int] = []
    params = SamplingParams(temperature=0, min_tokens=2, stop_token_ids=[1])
    row = SamplerRow(params, [7], output, stop_ids=frozenset({3}))
    sampler, scores = sampler_of(path), torch.tensor([[0.0, 4.0, 1.0, 5.0]])
    tokens = []
    for _ in range(3):
        tokens.append(sampler(scores.clone(), [row])[0].token)
        output.append(tokens[-1])
    assert tokens == [2, 2, 3]


@pytest.mark.parametrize("path", PATHS)
def test_a_constraint_that_allows_only_a_stop_token_overrides_min_tokens(path: str) -> None:
    row = SamplerRow(SamplingParams(temperature=0, min_tokens=9), stop_ids=frozenset({3}))
    row.allowed = bits({3}, 6)
    assert sampler_of(path)(torch.zeros(1, 6), [row])[0].token == 3


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("place", [0, 5, 127, 128, 299])
def test_scores_that_are_no_numbers_fail_their_own_row_only(path: str, value: float, place: int) -> None:
    scores = random_scores(3, 300)
    expected = int(scores[2].argmax())
    scores[1, place] = value
    rows = [SamplerRow(SamplingParams(temperature=0)) for _ in range(3)]
    results = sampler_of(path)(scores, rows)
    assert results[1] == Sampled(-1, problem=NOT_A_NUMBER)
    assert [results[0].problem, results[2]] == [None, Sampled(expected)]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("temperature", [0, 1])
def test_a_row_that_forbids_every_token_says_so(path: str, temperature: float) -> None:
    rows = [SamplerRow(SamplingParams(temperature=temperature, seed=0)) for _ in range(3)]
    rows[0].allowed = bits(set(), 200)
    rows[2].bias = dict.fromkeys(range(200), float("-inf"))
    scores = random_scores(3, 200)
    scores[1] = -torch.inf
    assert sampler_of(path)(scores, rows) == [Sampled(-1, problem=NOTHING_ALLOWED)] * 3


@pytest.mark.parametrize("path", PATHS)
def test_extreme_scores_are_no_trouble(path: str) -> None:
    scores = torch.full((3, 300), -3e38)
    scores[0, 7] = 3e38
    scores[1, 8] = -2.9e38
    scores[2] = -torch.inf
    scores[2, 9] = -50
    for changes in ({}, {"top_k": 5}, {"top_p": 0.5}, {"min_p": 0.5}, {"repetition_penalty": 2.0}):
        rows = [SamplerRow(SamplingParams(temperature=0.5, seed=1, **changes), [0, 1]) for _ in range(3)]
        assert [s.token for s in sampler_of(path)(scores.clone(), rows)] == [7, 8, 9]


@pytest.mark.parametrize("path", PATHS)
def test_penalties_follow_an_output_as_it_grows(path: str) -> None:
    scores = random_scores(1, 50, spread=0.2)[0]
    params = SamplingParams(temperature=0, frequency_penalty=0.3, presence_penalty=0.1, repetition_penalty=1.1)
    prompt, output = [3, 3, 8], []
    row, sampler = SamplerRow(params, prompt, output), sampler_of(path)
    for _ in range(30):
        token = sampler(scores[None].clone(), [row])[0].token
        changed = plain_scores(scores.tolist(), params, prompt, output)
        assert changed[token] >= max(changed) - 1e-6
        output.append(token)
    assert len(set(output)) > 10


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "changes",
    [{}, {"frequency_penalty": 1.0, "repetition_penalty": 1.3}, {"dry_multiplier": 2.0, "dry_allowed_length": 1}],
    ids=repr,
)
def test_drafted_tokens_count_as_if_they_were_accepted(path: str, changes: dict[str, Any]) -> None:
    scores = random_scores(1, 40, spread=1)
    params = SamplingParams(temperature=1, seed=9, logprobs=3, **changes)
    prompt, output, drafted = [1, 2, 3], [1, 2], [3, 1, 2, 7]
    row, sampler = SamplerRow(params, prompt, output), sampler_of(path)
    rows = [row.after(drafted[:count]) for count in range(5)]
    ahead = sampler(scores.repeat(5, 1), rows)
    one_by_one = []
    for count in range(5):
        one_by_one += sampler(scores.clone(), [row])
        output.extend(drafted[count : count + 1])
    assert ahead == one_by_one
    assert row.index == 6


def test_the_number_of_rows_must_fit() -> None:
    with pytest.raises(ValueError, match="2 rows of logits were given for 1"):
        Sampler()(torch.zeros(2, 5), [SamplerRow(SamplingParams())])
