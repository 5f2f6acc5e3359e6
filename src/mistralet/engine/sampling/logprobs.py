"""Logprobs: how likely tokens are by the model's own scores."""

from __future__ import annotations

from torch import Tensor

from mistralet.engine.sampling.sums import total


def logprobs(scores: Tensor, ids: Tensor) -> Tensor:
    """The logprobs of some tokens, float32 `[rows, tokens]`, the same on every device and in any batch.

    Args:
        scores: float32 `[rows, vocab_size]`.
        ids: int64 `[rows, tokens]`.
    """
    largest = scores.amax(-1, keepdim=True).double()
    weights = (scores.double() - largest).exp()
    return (scores.gather(-1, ids).double() - largest - total(weights).log()).float()
