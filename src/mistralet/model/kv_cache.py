"""The keys and values of past tokens, over all layers, in blocks that any sequence may hold."""

from __future__ import annotations

import torch

from mistralet.config import ModelConfig
from mistralet.ops import LayerCache, blocks_for


class KVCache:
    """Blocks of keys and values; it grows as more are needed. Which block belongs to whom is the caller's business."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        """
        Args:
            dtype: float32, float16, bfloat16, or int8 (with a float32 scale for each head and token).
        """
        self.config = config
        self.blocks = 0
        self.layers = [
            LayerCache.empty(0, config.num_key_value_heads, config.head_dim, dtype, device)
            for _ in range(config.num_hidden_layers)
        ]

    def reserve(self, blocks: int) -> None:
        """Make room for `blocks` blocks in all; what is stored stays.

        It grows by doubling, up to what the model's own context needs, unless more is asked for.
        """
        if blocks <= self.blocks:
            return
        doubled = min(max(2 * self.blocks, 8), blocks_for(self.config.max_position_embeddings))
        self.blocks = max(blocks, doubled)
        for index, layer in enumerate(self.layers):
            self.layers[index] = layer.grown(self.blocks)

    @property
    def nbytes(self) -> int:
        """Bytes allocated."""
        return sum(tensor.nbytes for layer in self.layers for tensor in layer.tensors)
