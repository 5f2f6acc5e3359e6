"""Sums that depend on no order of additions.

A device adds many numbers at once, in an order that may differ with the shape and from one time to the next, and sums
of floats differ with it. So whole numbers are added: weights in parts of 2^-43, and what is left of them in parts of
2^-86. Weights are float64, from 0 to 1, along the last dimension; with half a million of them the sums still fit 64
bits.
"""

from __future__ import annotations

from torch import Tensor

_PARTS = 2.0**43


def total(weights: Tensor) -> Tensor:
    """The sum of the weights, float64 `[..., 1]`: the last of `running_sums`."""
    whole, rest = _whole_numbers(weights)
    return _weight(whole.sum(-1, keepdim=True), rest.sum(-1, keepdim=True))


def running_sums(weights: Tensor) -> Tensor:
    """For each place the sum of the weights up to it, float64; never less, and not more if a place's weight is 0."""
    whole, rest = _whole_numbers(weights)
    return _weight(whole.cumsum(-1), rest.cumsum(-1))


def _whole_numbers(weights: Tensor) -> tuple[Tensor, Tensor]:
    parts = weights * _PARTS
    whole = parts.long()
    return whole, ((parts - whole) * _PARTS).long()


def _weight(whole: Tensor, rest: Tensor) -> Tensor:
    return (whole.double() + rest.double() / _PARTS) / _PARTS
