"""The keys and values of one sequence."""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.config import ModelConfig

_FIRST_CAPACITY = 256  # tokens


class KVCache:
    """Keys and values of one sequence, over all layers; it grows as the sequence does, up to the model's context."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        self.config = config
        self.length = 0  # tokens whose keys and values are complete in every layer
        self._storage = torch.empty(0, dtype=dtype, device=device)
        self._capacity = 0

    def reserve(self, tokens: int) -> None:
        """Make room for `tokens` in all; what is stored stays."""
        if tokens <= self._capacity:
            return
        capacity = min(max(tokens, 2 * self._capacity, _FIRST_CAPACITY), self.config.max_position_embeddings)
        config = self.config
        shape = (config.num_hidden_layers, 2, config.num_key_value_heads, max(capacity, tokens), config.head_dim)
        grown = torch.empty(shape, dtype=self._storage.dtype, device=self._storage.device)
        if self.length:
            grown[:, :, :, : self.length] = self._storage[:, :, :, : self.length]
        self._storage, self._capacity = grown, shape[3]

    def store(self, layer: int, start: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put the keys and values of tokens from `start` on into one layer.

        Args:
            keys, values: `[tokens, kv_heads, head_dim]`.

        Returns:
            All keys and values of the layer up to the last of these tokens, `[kv_heads, context, head_dim]` each.
        """
        end = start + keys.shape[0]
        stored = self._storage[layer, :, :, :end]
        stored[0, :, start:] = keys.transpose(0, 1)
        stored[1, :, start:] = values.transpose(0, 1)
        return stored[0], stored[1]

    def truncate(self, length: int) -> None:
        """Forget all tokens from position `length` on."""
        self.length = min(self.length, length)

    @property
    def nbytes(self) -> int:
        """Bytes allocated."""
        return self._storage.nbytes
