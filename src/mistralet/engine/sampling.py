"""Which token comes next."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mistralet.errors import UsageError

# What the model cards of all three releases recommend (SPEC 3.2).
DEFAULT_TEMPERATURE = 0.15
# Dividing by less would overflow float32; so near to 0 only the likeliest token is drawn anyway.
_SMALLEST_TEMPERATURE = 1e-6


@dataclass(frozen=True)
class SamplingParams:
    """How to choose tokens, and when to stop.

    Raises:
        UsageError: a value is out of range.
    """

    temperature: float = DEFAULT_TEMPERATURE  # 0 takes the likeliest token always
    max_tokens: int | None = None  # None: until the context is full
    seed: int = field(default_factory=lambda: secrets.randbits(31))

    def __post_init__(self) -> None:
        if not 0 <= self.temperature <= 100:
            raise UsageError(f"The temperature is {self.temperature}, but must lie between 0 and 100.")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"The number of tokens to generate is {self.max_tokens}, but must be at least 1.")
        if not 0 <= self.seed < 1 << 63:
            raise UsageError(f"The seed is {self.seed}, but must be a whole number from 0 to 2^63 - 1.")


class Sampler:
    """Draws tokens for one sequence; the same parameters and logits give the same tokens."""

    def __init__(self, params: SamplingParams) -> None:
        self.params = params
        self._random = torch.Generator().manual_seed(params.seed)

    def __call__(self, logits: Tensor) -> int:
        """A token id drawn by the scores `logits` (float32 `[vocab_size]`)."""
        if self.params.temperature == 0:
            return int(logits.argmax())
        probabilities = torch.softmax(logits.cpu() / max(self.params.temperature, _SMALLEST_TEMPERATURE), dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self._random))
