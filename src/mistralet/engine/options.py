"""`EngineOptions`: how an engine shares the machine among requests."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mistralet.config import KVType
from mistralet.engine.cache_size import blocks_that_fit
from mistralet.errors import UsageError
from mistralet.model import MistralSmall
from mistralet.ops import blocks_for


@dataclass(frozen=True)
class EngineOptions:
    """What may be chosen.

    Raises:
        UsageError: a value is out of range.
    """

    kv_type: KVType | None = None  # None: the 16-bit type that keeps most of the activations' precision
    kv_tokens: int | None = None  # that the cache holds, of all requests; None: by the memory there is
    max_sequences: int = 64  # answers that are written at once
    prefill_tokens: int | None = None  # of prompts, read in one step: bounds the memory of activations
    prompt_lookup: bool = True  # guess that an answer repeats what was said before, where that makes it faster

    def __post_init__(self) -> None:
        for name in ("kv_tokens", "max_sequences", "prefill_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}, but must be at least 1.")

    def kv_type_of(self, model: MistralSmall) -> KVType:
        """The type of the cache for a model."""
        return self.kv_type or (KVType.BFLOAT16 if model.dtype == torch.bfloat16 else KVType.FLOAT16)

    def prefill_tokens_of(self, model: MistralSmall) -> int:
        """Tokens of prompts in one step of a model: as many as keep the device busy."""
        return self.prefill_tokens or (2048 if model.norm.weight.is_cuda else 512)

    def blocks_of(self, model: MistralSmall) -> int:
        """The blocks of the cache for a model."""
        if self.kv_tokens is not None:
            return blocks_for(self.kv_tokens)
        return blocks_that_fit(model, self.kv_type_of(model))
