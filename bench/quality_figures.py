"""What a program's scores lose against exact ones, and whether one program loses more than another or merely seems to.

Tokens of one text are not independent of each other, so that noise is taken from the means of runs of 32 of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

RUN = 32  # tokens whose mean counts as one observation
# Standard errors that are noise. Eleven formats are compared at once: with two, chance alone would make one of them
# worse in every fourth table, with three in every hundredth or so.
NOISE = 3.0
# A mean divergence, in nats, below which both programs are exact: float32 rounding and the 16-bit cache make as much.
NEGLIGIBLE = 1e-5
_ROWS = 128  # whose scores are held in float64 at a time


@dataclass(frozen=True)
class Reading:
    """How one program reads a text, beside exact arithmetic on the same weights."""

    divergences: list[float]  # Kullback-Leibler, exact from this, in nats, for each token but the first
    perplexity: float
    top_1: float  # share of tokens at which its likeliest is the exact one

    @property
    def divergence(self) -> float:
        """The mean divergence in nats."""
        return sum(self.divergences) / len(self.divergences)


@dataclass(frozen=True)
class Excess:
    """How much more one program diverges than another, in nats per token."""

    mean: float
    standard_error: float

    @property
    def is_noise(self) -> bool:
        """Whether the first is no worse: the difference is below what chance makes of two equal programs."""
        return self.mean <= max(NOISE * self.standard_error, NEGLIGIBLE)


def reading(exact: Tensor, scores: Tensor, ids: list[int]) -> Reading:
    """Compare scores over a text of token `ids` with exact ones, float32 `[tokens, vocab_size]` both."""
    divergences, agreed = [], 0
    for expected_rows, rows in zip(exact[:-1].split(_ROWS), scores[:-1].split(_ROWS), strict=True):
        expected, actual = (part.double().log_softmax(-1) for part in (expected_rows, rows))
        divergences += (expected.exp() * (expected - actual)).sum(-1).tolist()
        agreed += int((expected.argmax(-1) == actual.argmax(-1)).sum())
    return Reading(divergences, perplexity(scores, ids), agreed / len(divergences))


def perplexity(scores: Tensor, ids: list[int]) -> float:
    """The perplexity of the tokens `ids` but the first, under scores `[tokens, vocab_size]`."""
    targets = torch.tensor(ids[1:])
    losses = [
        torch.nn.functional.cross_entropy(rows.double(), wanted, reduction="sum").item()
        for rows, wanted in zip(scores[:-1].split(_ROWS), targets.split(_ROWS), strict=True)
    ]
    return math.exp(sum(losses) / len(targets))


def excess(ours: list[float], theirs: list[float]) -> Excess:
    """How much more `ours` diverges than `theirs` over the same tokens: mean, and the standard error of that mean.

    Raises:
        ValueError: they are not as many, or fewer than two runs.
    """
    differences = torch.tensor([a - b for a, b in zip(ours, theirs, strict=True)], dtype=torch.float64)
    runs = len(differences) // RUN
    if runs < 2:
        raise ValueError(f"{len(differences)} tokens say nothing of noise; at least {2 * RUN} do")
    means = torch.stack([run.mean() for run in differences.tensor_split(runs)])
    return Excess(differences.mean().item(), (means.std() / runs**0.5).item())
