"""Sampling in plain PyTorch, one row at a time: the definition, and what runs where there is no C++ compiler."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mistralet.engine.sampling.dry import repeat_penalties
from mistralet.engine.sampling.params import SamplingParams
from mistralet.engine.sampling.random_numbers import uniform
from mistralet.engine.sampling.row import SamplerRow, ScoreChanges, TokenBits, has_bit
from mistralet.engine.sampling.sampled import NOT_A_NUMBER, NOTHING_ALLOWED, Sampled

# A weight beside the largest one, which is 1: what is lighter (e^-40) is lost in the rounding of any sum with it.
_LEAST_WEIGHT = 4.2483543e-18


def distribution(scores: Tensor, row: SamplerRow) -> Tensor:
    """With what probability each token is chosen at this place.

    Args:
        scores: of the model, float32 `[vocab_size]`; not changed.

    Returns:
        float64 `[vocab_size]`; all zeros if no token is allowed.
    """
    changed = changed_scores(scores, row)
    params = row.params
    largest = changed.max()
    if largest == -torch.inf:
        return torch.zeros_like(changed, dtype=torch.float64)
    if params.divisor == 0:
        weights = torch.zeros_like(changed, dtype=torch.float64)
        weights[(changed == largest).nonzero()[0]] = 1
        return weights
    weights = ((changed.double() - largest.double()) / params.divisor).exp()
    weights[weights < max(params.min_p, _LEAST_WEIGHT)] = 0
    if params.top_k or params.top_p < 1:
        order = changed.sort(descending=True, stable=True).indices
        weights[order[params.top_k or len(order) :]] = 0
        sums = weights[order].cumsum(0)
        lightest = weights[order[min(int((sums < params.top_p * sums[-1]).sum()), len(order) - 1)]]
        weights[weights < lightest] = 0
    return weights / weights.sum()


def sample(scores: Tensor, row: SamplerRow) -> Sampled:
    """Choose a token: the one at which the sum of probabilities, in the order of ids, exceeds the random number.

    Args:
        scores: float32 `[vocab_size]`.
    """
    if scores.isnan().any() or scores.max() == torch.inf:
        return Sampled(-1, problem=NOT_A_NUMBER)
    sums = distribution(scores, row).cumsum(0)
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
    logprobs = scores.double().log_softmax(0).float()
    likeliest = scores.sort(descending=True, stable=True).indices[:alternatives]
    return Sampled(
        token, float(logprobs[token]), list(zip(likeliest.tolist(), logprobs[likeliest].tolist(), strict=True))
    )


def changed_scores(scores: Tensor, row: SamplerRow) -> Tensor:
    """The scores after all that the request does to them; a copy."""
    scores = scores.clone()
    if not row.changes_at(row.index):
        return scores
    changes = row.changes(row.index)
    _penalise_seen(scores, row.params, changes)
    if changes.tokens:
        breakers = changes.breakers
        penalties = repeat_penalties(
            changes.tokens, row.params, lambda token: breakers is not None and has_bit(breakers, token)
        )
        _add(scores, list(penalties), [-penalty for penalty in penalties.values()])
    _add(scores, changes.biased, changes.biases)
    if changes.allowed is not None:
        scores[~_allowed_tokens(changes.allowed, len(scores))] = -torch.inf
    with_barred = scores.clone()
    scores[_within(changes.barred, scores)] = -torch.inf
    return with_barred if scores.max() == -torch.inf else scores


def _penalise_seen(scores: Tensor, params: SamplingParams, changes: ScoreChanges) -> None:
    ids = torch.tensor(changes.seen, dtype=torch.int64)
    known = ids < len(scores)
    ids, counts = ids[known], torch.tensor(changes.seen_counts, dtype=torch.float32)[known]
    seen = scores[ids]
    seen = torch.where(seen > 0, seen / params.repetition_penalty, seen * params.repetition_penalty)
    scores[ids] = seen - (params.frequency_penalty * counts + params.presence_penalty * (counts > 0))


def _add(scores: Tensor, ids: Sequence[int], values: Sequence[float]) -> None:
    # One after the other, as an id may come twice.
    for token, value in zip(ids, values, strict=True):
        if token < len(scores):
            scores[token] += value


def _within(ids: Sequence[int], scores: Tensor) -> Tensor:
    tokens = torch.tensor(ids, dtype=torch.int64)
    return tokens[tokens < len(scores)]


def _allowed_tokens(bits: TokenBits, vocab_size: int) -> Tensor:
    words = torch.from_numpy(bits.copy())
    allowed = (words[:, None] >> torch.arange(32) & 1).bool().flatten()[:vocab_size]
    return torch.nn.functional.pad(allowed, (0, vocab_size - len(allowed)))
