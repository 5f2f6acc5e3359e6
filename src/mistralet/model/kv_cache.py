"""The keys and values of past tokens, over all layers, in blocks that any sequence may hold."""

from __future__ import annotations

import torch

from mistralet.config import ModelConfig
from mistralet.ops import LayerCache


class KVCache:
    """Blocks of keys and values; on a CPU they take memory as they are used. Who owns them is the caller's business."""

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device, blocks: int) -> None:
        """
        Args:
            dtype: float32, float16, bfloat16, or int8 (with a float32 scale for each head and token).
        """
        self.blocks = blocks
        self.layers = [
            LayerCache.empty(blocks, config.num_key_value_heads, config.head_dim, dtype, device)
            for _ in range(config.num_hidden_layers)
        ]

    def copy_block(self, source: int, target: int) -> None:
        """Copy what lies in one block to another, in every layer."""
        for layer in self.layers:
            for tensor in layer.tensors:
                tensor[target] = tensor[source]

    @property
    def nbytes(self) -> int:
        """Bytes allocated."""
        return sum(tensor.nbytes for layer in self.layers for tensor in layer.tensors)
