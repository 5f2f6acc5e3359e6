"""Sampling by the native kernel: all rows in one call."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mistralet.engine.sampling.params import SamplingParams
from mistralet.engine.sampling.row import SamplerRow, ScoreChanges, TokenBits
from mistralet.engine.sampling.sampled import NOT_A_NUMBER, NOTHING_ALLOWED, Sampled
from mistralet.native import kernels

# The fields of SampleRow (native/penalties.h), in its order.
_PLACE = struct.Struct("=Qq")
_CHANGES = struct.Struct("=Qq QQq QQq Qq Qq Qq".replace(" ", ""))
_SETTINGS = struct.Struct("=qddqqffffffii")
_TOKEN = struct.Struct("=ii")  # the last of the settings
_NO_CHANGES = bytes(_CHANGES.size)
# Those of Candidate (native/sample.h).
_CANDIDATE = np.dtype([("logprob", np.float32), ("token", np.int32)])
_PROBLEMS = (None, NOT_A_NUMBER, NOTHING_ALLOWED)


def sample(scores: Tensor, rows: Sequence[SamplerRow], maxima: Tensor | None = None) -> list[Sampled]:
    """A token for each row of `scores`, float32 `[rows, vocab_size]` on the CPU; what it forbids may be overwritten.

    Args:
        maxima: of the blocks of scores, if they are known (see `ops.score`).
    """
    parts: list[bytes] = []
    used: list[ScoreChanges] = []  # the arrays live as long as the kernel reads them
    for row in rows:
        index = row.index
        plain = row.packed_plain
        if plain is None:
            plain = row.packed_plain = _NO_CHANGES + _pack_settings(row.params)
        parts.append(_PLACE.pack(row.params.seed, index))
        if row.changes_at(index):
            changes = row.changes(index)
            used.append(changes)
            parts += (_pack_changes(changes), plain[len(_NO_CHANGES) :])
        else:
            parts.append(plain)
    return _call(scores, maxima, parts, [row.params.logprobs for row in rows])


def score(scores: Tensor, tokens: Sequence[int], alternatives: int) -> list[Sampled]:
    """The logprobs of one token in each row of `scores`, and of the likeliest ones."""
    nothing = _NO_CHANGES + _SETTINGS.pack(0, 0, 0, 0, alternatives, *[0.0] * 6, 0, 0)[: -_TOKEN.size]
    parts = [_PLACE.pack(0, 0) + nothing + _TOKEN.pack(token, 0) for token in tokens]
    return _call(scores, None, parts, [alternatives] * len(tokens))


def _call(scores: Tensor, maxima: Tensor | None, rows: list[bytes], alternatives: list[int | None]) -> list[Sampled]:
    assert kernels is not None
    known = 0 if maxima is None else maxima.data_ptr()
    vocab_size, packed = scores.shape[1], b"".join(rows)
    room = sum(count or 0 for count in alternatives)
    if not room:
        drawn = kernels.sample(scores.data_ptr(), vocab_size, known, packed, 0)
        return list(_results(drawn, [], alternatives, vocab_size))
    likeliest = np.empty(room, _CANDIDATE)
    drawn = kernels.sample(scores.data_ptr(), vocab_size, known, packed, _address(likeliest))
    top = list(zip(likeliest["token"].tolist(), likeliest["logprob"].tolist(), strict=True))
    return list(_results(drawn, top, alternatives, vocab_size))


def _results(
    drawn: list[tuple[int, int, float]],
    top: list[tuple[int, float]],
    alternatives: list[int | None],
    vocab_size: int,
) -> Iterator[Sampled]:
    first = 0
    for (token, problem, logprob), count in zip(drawn, alternatives, strict=True):
        if problem:
            yield Sampled(-1, problem=_PROBLEMS[problem])
        elif count is None:
            yield Sampled(token)
        else:
            yield Sampled(token, logprob, top[first : first + min(count, vocab_size)])
        first += count or 0


def _pack_settings(params: SamplingParams) -> bytes:
    return _SETTINGS.pack(
        params.dry_allowed_length,
        params.dry_multiplier,
        params.dry_base,
        params.top_k,
        -1 if params.logprobs is None else params.logprobs,
        params.divisor,
        params.top_p,
        params.min_p,
        params.repetition_penalty,
        params.presence_penalty,
        params.frequency_penalty,
        -1,
        0,
    )


def _pack_changes(changes: ScoreChanges) -> bytes:
    return _CHANGES.pack(
        *_bits(changes.allowed),
        *(changes.seen.buffer_info()[0], *changes.seen_counts.buffer_info()),
        *(changes.biased.buffer_info()[0], *changes.biases.buffer_info()),
        *changes.barred.buffer_info(),
        *changes.tokens.buffer_info(),
        *_bits(changes.breakers),
    )


def _bits(bits: TokenBits | None) -> tuple[int, int]:
    return (0, 0) if bits is None else (_address(bits), len(bits))


def _address(values: NDArray[Any]) -> int:
    return int(values.__array_interface__["data"][0])
