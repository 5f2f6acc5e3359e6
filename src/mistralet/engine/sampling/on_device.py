"""Sampling where the scores are, all rows at once, in PyTorch: what reference.py defines, for GPUs.

The host asks for all of the work without seeing any of it, and waits once, for what it is told of every row. Nothing
here depends on how many rows there are: maxima, places and sums of whole numbers are the same in any order of work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mistralet.engine.sampling.logprobs import logprobs
from mistralet.engine.sampling.params import SamplingParams
from mistralet.engine.sampling.random_numbers import uniform
from mistralet.engine.sampling.reference import LEAST_WEIGHT
from mistralet.engine.sampling.row import SamplerRow
from mistralet.engine.sampling.sampled import NOT_A_NUMBER, NOTHING_ALLOWED, Sampled
from mistralet.engine.sampling.score_changes import changed_scores
from mistralet.engine.sampling.sums import running_sums
from mistralet.engine.sampling.upload import upload

# Rows that are worked on at once: enough to keep a GPU busy, and 34 MB in float64 at the vocabulary of the family.
_ROWS = 32


def sample(scores: Tensor, rows: Sequence[SamplerRow]) -> list[Sampled]:
    """A token for each row of `scores`, float32 `[rows, vocab_size]`; not changed."""
    counts = [row.params.logprobs for row in rows]
    most = _most(counts, scores)
    told: list[Tensor] = []
    for part in _parts(len(rows)):
        tokens, allowed = _choose(scores[part], rows[part])
        told.append(_told(scores[part], tokens, allowed, counts[part], most))
    return _read(told, counts)


def score(scores: Tensor, tokens: Sequence[int], alternatives: int) -> list[Sampled]:
    """The logprobs of one token in each row of `scores`, float32 `[rows, vocab_size]`, and of the likeliest ones."""
    chosen = upload(tokens, torch.int64, scores.device)
    counts: list[int | None] = [alternatives] * len(tokens)
    most = _most(counts, scores)
    told: list[Tensor] = []
    for part in _parts(len(tokens)):
        allowed = torch.ones_like(chosen[part])
        told.append(_told(scores[part], chosen[part], allowed, counts[part], most))
    return _read(told, counts)


def _choose(scores: Tensor, rows: Sequence[SamplerRow]) -> tuple[Tensor, Tensor]:
    """The tokens drawn, int64 `[rows]`, and whether any was allowed; of scores that are no numbers, any token."""
    changed = changed_scores(scores, rows)
    largest, tokens = changed.max(-1)
    allowed = largest > -torch.inf
    places = [place for place, row in enumerate(rows) if row.params.divisor > 0]
    if places:
        where = upload(places, torch.int64, scores.device)
        drawn = _draw(_select(changed, places, where), largest[where], [rows[place] for place in places])
        tokens = tokens.index_copy(0, where, drawn)
    return tokens, allowed


def _draw(scores: Tensor, largest: Tensor, rows: Sequence[SamplerRow]) -> Tensor:
    """A token, int64 `[rows]`, for each row of scores, float32 `[rows, vocab_size]`; none has temperature 0."""
    params = [row.params for row in rows]
    settings = [
        (each.divisor, max(each.min_p, LEAST_WEIGHT), uniform(each.seed, row.index))
        for each, row in zip(params, rows, strict=True)
    ]
    divisor, least, number = _columns(settings, scores.device)
    # Where nothing is allowed all weights are to be 0, not NaN.
    finite = largest.double().masked_fill(largest == -torch.inf, 0)[:, None]
    weights = ((scores.double() - finite) / divisor).exp()
    weights = weights.masked_fill(weights < least, 0)
    weights = _keep_likeliest(weights, scores, params)
    sums = running_sums(weights)
    total = sums[:, -1:].contiguous()
    token = torch.searchsorted(sums, number * total, right=True)
    # Rounding may leave the number at the very end: the last token that is possible.
    token = torch.minimum(token, torch.searchsorted(sums, total))
    return token.clamp(max=scores.shape[1] - 1).squeeze(-1)


def _keep_likeliest(weights: Tensor, scores: Tensor, params: Sequence[SamplingParams]) -> Tensor:
    """The weights, 0 where `top_k` or `top_p` of the row does not keep the token."""
    vocab_size = scores.shape[1]
    few, all_sorted = [], []
    for place, each in enumerate(params):
        if 0 < each.top_k < vocab_size:
            few.append(place)
        elif each.top_k or each.top_p < 1:
            all_sorted.append(place)
    for places in filter(None, (few, all_sorted)):
        where = upload(places, torch.int64, scores.device)
        limits = [(min(params[place].top_k or vocab_size, vocab_size), params[place].top_p) for place in places]
        kept = _kept(_select(weights, places, where), _select(scores, places, where), limits)
        weights = weights.index_copy(0, where, kept)
    return weights


def _kept(weights: Tensor, scores: Tensor, limits: Sequence[tuple[int, float]]) -> Tensor:
    """The weights of the tokens that are kept by `top_k` and `top_p`, which `limits` holds for each row."""
    top_k, top_p = _columns(limits, scores.device)
    order = _likeliest(scores, max(k for k, _ in limits))
    width = order.shape[1]
    kept = weights.gather(-1, order)
    kept = kept.masked_fill(torch.arange(width, device=scores.device) >= top_k, 0)
    sums = running_sums(kept)
    last = torch.searchsorted(sums, top_p * sums[:, -1:]).clamp(max=width - 1)
    kept = kept.masked_fill(kept < kept.gather(-1, last), 0)
    return torch.zeros_like(weights).scatter(-1, order, kept)


def _likeliest(scores: Tensor, count: int) -> Tensor:
    """The ids of the largest scores of each row, int64 `[rows, count]`: the largest first, of equals the lowest id."""
    vocab_size = scores.shape[1]
    if count == vocab_size:
        return scores.sort(dim=-1, descending=True, stable=True).indices
    if count == 0:
        return torch.empty(len(scores), 0, dtype=torch.int64, device=scores.device)
    # Of equal values `topk` takes any. So it is given whole numbers, no two of them equal: the score's bits, turned so
    # that they are in the order of floats, and then the id.
    bits = (scores + 0.0).view(torch.int32)  # + 0.0: one zero, not two
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    ids = torch.arange(vocab_size, device=scores.device)
    return ((ordered << 32) - ids).topk(count).indices


def _told(scores: Tensor, tokens: Tensor, allowed: Tensor, counts: Sequence[int | None], most: int | None) -> Tensor:
    """What the host is told of some rows, float64 `[rows, 3 + logprobs]`, which `_sampled` reads.

    Args:
        counts: how many likeliest tokens each row asks for; None: no logprobs.
        most: the most that any row asks for.
    """
    is_number = scores.amax(-1) < torch.inf  # a NaN is the largest of its row
    told = torch.stack([tokens, is_number, allowed], -1).double()
    if most is None:
        return told
    told = torch.nn.functional.pad(told, (0, 1 + 2 * most))
    places = [place for place, count in enumerate(counts) if count is not None]
    if places:
        where = upload(places, torch.int64, scores.device)
        told[where, 3:] = _logprobs(_select(scores, places, where), tokens[where], most)
    return told


def _logprobs(scores: Tensor, tokens: Tensor, count: int) -> Tensor:
    """The logprob of each row's token, those of the likeliest, and their ids: float64 `[rows, 1 + 2 * count]`."""
    likeliest = _likeliest(scores, count)
    ids = torch.cat([tokens[:, None], likeliest], -1)
    return torch.cat([logprobs(scores, ids).double(), likeliest.double()], -1)


def _read(told: list[Tensor], counts: Sequence[int | None]) -> list[Sampled]:
    """What the device tells, once it has done all that it was asked."""
    table: list[list[float]] = torch.cat(told).tolist() if told else []
    return [_sampled(row, count) for row, count in zip(table, counts, strict=True)]


def _sampled(told: Sequence[float], count: int | None) -> Sampled:
    token, is_number, allowed, *rest = told
    if not is_number:
        return Sampled(-1, problem=NOT_A_NUMBER)
    if not allowed:
        return Sampled(-1, problem=NOTHING_ALLOWED)
    if count is None:
        return Sampled(int(token))
    logprob, *likeliest = rest
    most = len(likeliest) // 2
    ids = map(int, likeliest[most : most + count])
    return Sampled(int(token), logprob, list(zip(ids, likeliest[:most], strict=False)))


def _most(counts: Sequence[int | None], scores: Tensor) -> int | None:
    """The most likeliest tokens that a row asks for, or as many as there are; None if none asks for logprobs."""
    asked = [count for count in counts if count is not None]
    return min(max(asked), scores.shape[1]) if asked else None


def _parts(rows: int) -> Iterator[slice]:
    return (slice(first, first + _ROWS) for first in range(0, rows, _ROWS))


def _select(values: Tensor, places: Sequence[int], where: Tensor) -> Tensor:
    """The rows at some places, without a copy if they are all."""
    return values if len(places) == len(values) else values[where]


def _columns(values: Sequence[Sequence[float]], device: torch.device) -> list[Tensor]:
    """The columns of a table, each float64 `[rows, 1]`."""
    return list(upload(values, torch.float64, device)[:, :, None].unbind(1))
