"""What requests do to their scores before a token is chosen: penalties, DRY, biases, tokens that may not come.

On the device where the scores are, without waiting for it: only ids, numbers and bits go there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mistralet.engine.sampling.dry import repeat_penalties
from mistralet.engine.sampling.params import SamplingParams
from mistralet.engine.sampling.row import SamplerRow, ScoreChanges, has_bit
from mistralet.engine.sampling.upload import upload


def changed_scores(scores: Tensor, rows: Sequence[SamplerRow]) -> Tensor:
    """The scores after all that the requests do to them.

    Args:
        scores: float32 `[rows, vocab_size]`, on any device; not changed.

    Returns:
        float32 `[rows, vocab_size]`: `scores` itself if nothing is done to any row.
    """
    changes = {place: row.changes(row.index) for place, row in enumerate(rows) if row.changes_at(row.index)}
    if not changes:
        return scores
    changed = scores.clone(memory_format=torch.contiguous_format)
    params = {place: rows[place].params for place in changes}
    _penalise_seen(changed, params, changes)
    _add(changed, params, changes)
    _forbid(changed, changes)
    _bar(changed, changes)
    return changed


def _penalise_seen(scores: Tensor, params: Mapping[int, SamplingParams], changes: Mapping[int, ScoreChanges]) -> None:
    vocab_size = scores.shape[1]
    ids, divisors, losses = [], [], []
    for place, change in changes.items():
        if not change.seen:
            continue
        seen, counts = np.array(change.seen, np.int64), np.array(change.seen_counts, np.float32)
        known = seen < vocab_size
        row = params[place]
        ids.append(place * vocab_size + seen[known])
        divisors.append(np.full(len(ids[-1]), row.repetition_penalty, np.float32))
        losses.append((row.frequency_penalty * counts + row.presence_penalty * np.sign(counts))[known])
    if not ids:
        return
    where = upload(np.concatenate(ids), torch.int64, scores.device)
    divisor = upload(np.concatenate(divisors), torch.float32, scores.device)
    loss = upload(np.concatenate(losses), torch.float32, scores.device)
    flat = scores.view(-1)
    given = flat[where]
    flat[where] = torch.where(given > 0, given / divisor, given * divisor) - loss


def _add(scores: Tensor, params: Mapping[int, SamplingParams], changes: Mapping[int, ScoreChanges]) -> None:
    vocab_size = scores.shape[1]
    # A token gets what comes first in the first layer, what comes next in the next: so each layer has distinct places,
    # and the order of additions is the same on every device.
    layers: list[dict[int, float]] = []
    for place, change in changes.items():
        for token, value in _additions(params[place], change):
            if token < vocab_size:
                _add_to_first_without(layers, place * vocab_size + token, value)
    flat = scores.view(-1)
    for layer in layers:
        where = upload(list(layer), torch.int64, scores.device)
        flat[where] += upload(list(layer.values()), torch.float32, scores.device)


def _additions(params: SamplingParams, change: ScoreChanges) -> Iterator[tuple[int, float]]:
    if change.tokens:
        breakers = change.breakers
        penalties = repeat_penalties(
            change.tokens, params, lambda token: breakers is not None and has_bit(breakers, token)
        )
        for token, penalty in penalties.items():
            yield token, -penalty
    yield from zip(change.biased, change.biases, strict=True)


def _add_to_first_without(layers: list[dict[int, float]], place: int, value: float) -> None:
    for layer in layers:
        if place not in layer:
            layer[place] = value
            return
    layers.append({place: value})


def _forbid(scores: Tensor, changes: Mapping[int, ScoreChanges]) -> None:
    """Take from the scores, in place, the tokens that a row's `allowed` does not hold."""
    masks = {place: change.allowed for place, change in changes.items() if change.allowed is not None}
    if not masks:
        return
    vocab_size = scores.shape[1]
    words = np.zeros((len(masks), -(-vocab_size // 32)), np.int32)
    for row, mask in zip(words, masks.values(), strict=True):
        row[: len(mask)] = mask[: len(row)]
    shifts = torch.arange(32, dtype=torch.int32, device=scores.device)
    bits = upload(words, torch.int32, scores.device)[:, :, None] >> shifts & 1
    forbidden = bits.flatten(1)[:, :vocab_size] == 0
    where = upload(list(masks), torch.int64, scores.device)
    scores[where] = scores[where].masked_fill(forbidden, -torch.inf)


def _bar(scores: Tensor, changes: Mapping[int, ScoreChanges]) -> None:
    """Take from the scores, in place, the tokens that may come only if nothing else may."""
    barred = {place: change.barred for place, change in changes.items() if change.barred}
    if not barred:
        return
    vocab_size = scores.shape[1]
    ids = [
        row * vocab_size + token for row, tokens in enumerate(barred.values()) for token in tokens if token < vocab_size
    ]
    where = upload(list(barred), torch.int64, scores.device)
    given = scores[where]
    without = given.clone()
    without.view(-1)[upload(ids, torch.int64, scores.device)] = -torch.inf
    scores[where] = torch.where(without.amax(-1, keepdim=True) == -torch.inf, given, without)
