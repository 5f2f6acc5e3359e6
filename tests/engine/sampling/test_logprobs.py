"""Logprobs: those of the model's own scores."""

from __future__ import annotations

import pytest
import torch

from mistralet.engine import SamplingParams
from mistralet.engine.sampling import Sampled, Sampler, SamplerRow
from mistralet.engine.sampling.sampled import NOT_A_NUMBER

SCORES = torch.randn(6, 700, generator=torch.Generator().manual_seed(1)) * 4
EXPECTED = SCORES.double().log_softmax(-1)


def assert_logprobs(sampled: Sampled, row: int, token: int, alternatives: int) -> None:
    assert sampled.token == token
    assert sampled.logprob == pytest.approx(float(EXPECTED[row, token]), abs=2e-5)
    values, ids = EXPECTED[row].topk(alternatives)
    assert [token for token, _ in sampled.top_logprobs] == ids.tolist()
    assert [logprob for _, logprob in sampled.top_logprobs] == pytest.approx(values.tolist(), abs=2e-5)


@pytest.mark.parametrize("use_native", [True, False])
@pytest.mark.parametrize("alternatives", [0, 1, 7, 20])
def test_logprobs_are_those_before_temperature_penalties_and_bias(use_native: bool, alternatives: int) -> None:
    params = SamplingParams(temperature=0, logprobs=alternatives, logit_bias={3: 100}, frequency_penalty=1)
    rows = [SamplerRow(params, [1], [5, 6]) for _ in range(6)]
    for row, sampled in enumerate(Sampler(use_native)(SCORES.clone(), rows)):
        assert_logprobs(sampled, row, 3, alternatives)


@pytest.mark.parametrize("use_native", [True, False])
def test_who_asks_for_no_logprobs_gets_none(use_native: bool) -> None:
    params = [SamplingParams(temperature=0, logprobs=count) for count in (None, 2, None, 0)]
    sampled = Sampler(use_native)(SCORES[:4].clone(), [SamplerRow(each) for each in params])
    assert [(s.logprob is None, len(s.top_logprobs)) for s in sampled] == [(True, 0), (False, 2), (True, 0), (False, 0)]


@pytest.mark.parametrize("use_native", [True, False])
@pytest.mark.parametrize("alternatives", [0, 5])
def test_prompt_logprobs_are_those_of_the_tokens_given(use_native: bool, alternatives: int) -> None:
    ids = [5, 0, 699, 128, 127, 300]
    results = Sampler(use_native).prompt_logprobs(SCORES.clone(), ids, alternatives)
    for row, (sampled, token) in enumerate(zip(results, ids, strict=True)):
        assert_logprobs(sampled, row, token, alternatives)


@pytest.mark.parametrize("use_native", [True, False])
def test_more_alternatives_than_tokens_are_all_of_them(use_native: bool) -> None:
    row = SamplerRow(SamplingParams(temperature=0, logprobs=9))
    first, second = Sampler(use_native)(torch.tensor([[0.0, 2.0, 1.0]] * 2), [row, row])
    assert [token for token, _ in first.top_logprobs] == [1, 2, 0]
    assert first == second
    assert Sampler(use_native).prompt_logprobs(torch.tensor([[0.0, 2.0, 1.0]]), [1], 9) == [first]


@pytest.mark.parametrize("use_native", [True, False])
def test_scores_that_are_no_numbers_have_no_logprobs(use_native: bool) -> None:
    scores = SCORES[:1].clone()
    scores[0, 650] = float("nan")
    assert Sampler(use_native).prompt_logprobs(scores, [1], 2) == [Sampled(-1, problem=NOT_A_NUMBER)]


@pytest.mark.parametrize("ids", [[1], [1, 700], [1, -1]])
def test_ids_must_fit_the_scores(ids: list[int]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        Sampler().prompt_logprobs(SCORES[:2].clone(), ids, 1)
