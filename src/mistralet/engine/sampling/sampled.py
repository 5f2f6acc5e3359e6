"""`Sampled`: what the sampler says of one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

NOT_A_NUMBER = "The model's scores are not numbers; its weights are damaged, or the cache is."
NOTHING_ALLOWED = "No token is allowed here; the constraint or the biases of the request forbid all."


class Sampled(NamedTuple):
    """A token and its logprobs.

    Logprobs are those of the model's own scores, before penalties, constraints and temperature, as OpenAI and vLLM give
    them. They are None and empty if the request asks for none.
    """

    token: int  # -1 if there is a problem
    logprob: float | None = None
    top_logprobs: Sequence[tuple[int, float]] = ()  # of the likeliest tokens, the likeliest first
    problem: str | None = None  # a sentence on why this row, and this one only, has no token
