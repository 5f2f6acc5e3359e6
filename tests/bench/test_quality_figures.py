"""Divergence, perplexity, and what counts as noise."""

from __future__ import annotations

import math

import pytest
import torch

from bench.quality_figures import excess, perplexity, reading


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_program_that_is_exact_loses_nothing() -> None:
    scores, ids = randn(200, 50), list(range(50)) * 4
    result = reading(scores, scores + 3, ids)  # a constant changes no probability
    assert result.divergence == pytest.approx(0, abs=1e-12)
    assert result.top_1 == 1
    assert result.perplexity == pytest.approx(perplexity(scores, ids))
    assert len(result.divergences) == 199


def test_the_divergence_is_that_of_kullback_and_leibler() -> None:
    exact = torch.tensor([[0.5, 0.5], [1.0, 1.0]]).log()
    scores = torch.tensor([[0.9, 0.1], [1.0, 1.0]]).log()
    result = reading(exact, scores, [0, 1])
    assert result.divergence == pytest.approx(0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1))
    assert result.perplexity == pytest.approx(10)


def test_the_perplexity_of_no_knowledge_is_the_size_of_the_vocabulary() -> None:
    assert perplexity(torch.zeros(300, 64), [5] * 300) == pytest.approx(64)


@pytest.mark.parametrize(("shift", "is_noise"), [(-0.01, True), (0.0, True), (0.01, False)])
def test_only_a_difference_larger_than_chance_is_none(shift: float, is_noise: bool) -> None:
    theirs = (0.003 * randn(640).abs()).double()
    ours = (theirs + 0.0005 * randn(640, seed=1) + shift).tolist()
    assert excess(ours, theirs.tolist()).is_noise is is_noise


def test_a_difference_nobody_can_see_is_noise_however_steady() -> None:
    difference = excess([2e-6] * 128, [1e-6] * 128)
    assert difference.standard_error == pytest.approx(0, abs=1e-12)
    assert difference.is_noise


def test_neighbours_that_err_alike_make_more_noise() -> None:
    alone = randn(640).tolist()
    in_runs = [value for value in randn(20).tolist() for _ in range(32)]
    assert excess(in_runs, [0.0] * 640).standard_error > 3 * excess(alone, [0.0] * 640).standard_error


def test_too_few_tokens_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 64"):
        excess([0.0] * 63, [0.0] * 63)
