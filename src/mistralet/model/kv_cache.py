"""The keys and values of past tokens, over all layers, in blocks that any sequence may hold."""

from __future__ import annotations

import torch

from mistralet.config import KVType, ModelConfig
from mistralet.ops import LayerCache


class KVCache:
    """A fixed number of blocks of keys and values. Which block belongs to whom is the caller's business.

    On a CPU the blocks are taken from the system at once, but take memory only as they are written: a cache for the
    whole context costs nothing until it is used, and never moves.
    """

    def __init__(self, config: ModelConfig, kv_type: KVType, device: torch.device, blocks: int) -> None:
        """
        Raises:
            UsageError: the model's heads cannot be stored so.
        """
        self.config = config
        self.kv_type = kv_type
        self.blocks = blocks
        self.layers = [
            LayerCache.empty(blocks, config.num_key_value_heads, config.head_dim, kv_type, device)
            for _ in range(config.num_hidden_layers)
        ]

    def copy_block(self, source: int, target: int) -> None:
        """Copy what lies in one block to another, in every layer."""
        for layer in self.layers:
            for tensor in layer.tensors:
                tensor[target] = tensor[source]

    @property
    def nbytes(self) -> int:
        """Bytes of all blocks, written or not."""
        return sum(tensor.nbytes for layer in self.layers for tensor in layer.tensors)
