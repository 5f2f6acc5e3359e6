"""Sampling in plain PyTorch, one row at a time: the definition, and what runs where there is no C++ compiler."""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.engine.sampling.logprobs import logprobs
from mistralet.engine.sampling.random_numbers import uniform
from mistralet.engine.sampling.row import SamplerRow
from mistralet.engine.sampling.sampled import NOT_A_NUMBER, NOTHING_ALLOWED, Sampled
from mistralet.engine.sampling.score_changes import changed_scores
from mistralet.engine.sampling.sums import running_sums, total

# A weight beside the largest one, which is 1: what is lighter (e^-40) is lost in the rounding of any sum with it.
LEAST_WEIGHT = 4.2483543e-18


def distribution(scores: Tensor, row: SamplerRow) -> Tensor:
    """With what probability each token is chosen at this place.

    Args:
        scores: of the model, float32 `[vocab_size]`; not changed.

    Returns:
        float64 `[vocab_size]`; all zeros if no token is allowed.
    """
    weights = _weights(scores, row)
    return weights / total(weights) if weights.any() else weights


def sample(scores: Tensor, row: SamplerRow) -> Sampled:
    """Choose a token: the one at which the sum of weights, in the order of ids, exceeds the random number's share.

    Args:
        scores: float32 `[vocab_size]`.
    """
    if scores.isnan().any() or scores.max() == torch.inf:
        return Sampled(-1, problem=NOT_A_NUMBER)
    sums = running_sums(_weights(scores, row))
    if sums[-1] == 0:
        return Sampled(-1, problem=NOTHING_ALLOWED)
    share = uniform(row.params.seed, row.index) * sums[-1]
    token = int(torch.searchsorted(sums, share, right=True))
    # Rounding may leave the number at the very end: the last token that is possible.
    token = min(token, int(torch.searchsorted(sums, sums[-1])))
    return Sampled(token) if row.params.logprobs is None else score(scores, token, row.params.logprobs)


def score(scores: Tensor, token: int, alternatives: int) -> Sampled:
    """The logprobs of a token and of the likeliest ones, by scores float32 `[vocab_size]`."""
    if scores.isnan().any() or scores.max() == torch.inf:
        return Sampled(-1, problem=NOT_A_NUMBER)
    likeliest = scores.sort(descending=True, stable=True).indices[:alternatives].tolist()
    own, *others = logprobs(scores[None], torch.tensor([[token, *likeliest]]))[0].tolist()
    return Sampled(token, own, list(zip(likeliest, others, strict=True)))


def _weights(scores: Tensor, row: SamplerRow) -> Tensor:
    """The weight of each token, float64 `[vocab_size]`, as a share of the likeliest one's; 0 of those not kept."""
    changed = changed_scores(scores[None], [row])[0]
    params = row.params
    largest = changed.max()
    if largest == -torch.inf:
        return torch.zeros_like(changed, dtype=torch.float64)
    if params.divisor == 0:
        weights = torch.zeros_like(changed, dtype=torch.float64)
        weights[(changed == largest).nonzero()[0]] = 1
        return weights
    weights = ((changed.double() - largest.double()) / params.divisor).exp()
    weights[weights < max(params.min_p, LEAST_WEIGHT)] = 0
    if params.top_k or params.top_p < 1:
        order = changed.sort(descending=True, stable=True).indices
        weights[order[params.top_k or len(order) :]] = 0
        sums = running_sums(weights[order])
        lightest = weights[order[min(int((sums < params.top_p * sums[-1]).sum()), len(order) - 1)]]
        weights[weights < lightest] = 0
    return weights
