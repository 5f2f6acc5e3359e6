"""`EngineOptions`: how an engine shares the machine among requests."""

from __future__ import annotations

from dataclasses import dataclass

import psutil
import torch

from mistralet.errors import UsageError
from mistralet.machine import ram
from mistralet.model import KVCache, MistralSmall
from mistralet.model.layers import Weight
from mistralet.ops import BLOCK_SIZE, blocks_for

# Of the memory that weights leave, the part that the cache may take unless it is told; the rest is for activations,
# images and other programs.
_SHARE_OF_FREE_MEMORY = 0.6
# Contexts of the model that the cache holds at most unless it is told.
_CONTEXTS = 4
_LEAST_TOKENS = 2048


@dataclass(frozen=True)
class EngineOptions:
    """What may be chosen.

    Raises:
        UsageError: a value is out of range.
    """

    kv_dtype: torch.dtype | None = None  # None: the 16-bit type that keeps most of the activations' precision
    kv_tokens: int | None = None  # that the cache holds, of all requests; None: by the memory there is
    max_sequences: int = 64  # answers that are written at once
    prefill_tokens: int = 512  # of prompts, read in one step: bounds the memory of activations
    prompt_lookup: bool = True  # guess that an answer repeats what was said before, where that makes it faster

    def __post_init__(self) -> None:
        for name in ("kv_tokens", "max_sequences", "prefill_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}, but must be at least 1.")

    def kv_dtype_of(self, model: MistralSmall) -> torch.dtype:
        """The type of the cache for a model."""
        return self.kv_dtype or (torch.bfloat16 if model.dtype == torch.bfloat16 else torch.float16)

    def kv_blocks_of(self, model: MistralSmall) -> int:
        """The blocks of the cache for a model.

        The cache of a CPU takes memory only as it fills, so this is what it may grow to.
        """
        if self.kv_tokens is not None:
            return blocks_for(self.kv_tokens)
        free = _free_memory(model) * _SHARE_OF_FREE_MEMORY
        tokens = max(int(free / _bytes_per_token(model, self.kv_dtype_of(model))), _LEAST_TOKENS)
        return blocks_for(min(tokens, _CONTEXTS * model.config.max_position_embeddings))


def _bytes_per_token(model: MistralSmall, kv_dtype: torch.dtype) -> int:
    one = KVCache(model.config, kv_dtype, torch.device("meta"), blocks=1)
    return one.nbytes // BLOCK_SIZE


def _free_memory(model: MistralSmall) -> int:
    """Bytes that are left beside the weights, on the model's device."""
    device = model.norm.weight.device
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    # Mapped weights count as available although the model cannot run without them.
    weights = sum(module.weight.nbytes for module in model.modules() if isinstance(module, Weight))
    available: int = psutil.virtual_memory().available
    return max(0, min(available, ram().nbytes) - weights)
