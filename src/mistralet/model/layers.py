"""The pieces that the text decoder and the vision encoder have in common."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mistralet import ops
from mistralet.model.shard import ALONE, Shard
from mistralet.quant import QuantizedTensor, ScaledTensor


class Weight(nn.Module):
    """A module with one weight. It starts as an empty tensor that holds a shape only (meta device)."""

    weight: ops.Matrix

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape, device="meta"), requires_grad=False)

    def set_weight(self, weight: ops.Matrix) -> None:
        """Take a weight as it lies: dense, quantised, or packed."""
        # nn.Module refuses to put anything but a Parameter in a Parameter's place.
        self._parameters.pop("weight", None)
        if isinstance(weight, Tensor):
            self.weight = nn.Parameter(weight, requires_grad=False)
        else:
            self.weight = weight


class Linear(Weight):
    """`x @ weight.T`, weight `[out_features, in_features]`, no bias."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(out_features, in_features)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., in_features]` to `[..., out_features]`."""
        return ops.linear(x, self.weight)


class Embedding(Weight):
    """One row per token of the vocabulary, weight `[vocab_size, hidden_size]`."""

    weight: Tensor | QuantizedTensor | ScaledTensor

    def __init__(self, rows: int, size: int, shard: Shard = ALONE) -> None:
        """
        Args:
            rows: that this process has of the vocabulary.
        """
        super().__init__(rows, size)
        self.shard = shard

    def forward(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """`[tokens]` to `[tokens, hidden_size]`."""
        if self.shard.size == 1:
            return ops.embedding(ids, self.weight, dtype)
        rows = self.weight.shape[0]
        own = ids - self.shard.rank * rows
        is_mine = (own >= 0) & (own < rows)
        found = ops.embedding(own.clamp(0, rows - 1), self.weight, dtype)
        return self.shard.total(found * is_mine.unsqueeze(-1))


class RMSNorm(Weight):
    """Root-mean-square normalisation with a weight per feature."""

    weight: Tensor

    def __init__(self, size: int, eps: float) -> None:
        super().__init__(size)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """`[..., size]` to the same shape."""
        return ops.rms_norm(x, self.weight, self.eps)


class Attention(nn.Module):
    """Grouped-query attention with rotary positions; with as many key heads as query heads, that of the encoder."""

    def __init__(self, hidden_size: int, heads: int, kv_heads: int, head_dim: int, shard: Shard = ALONE) -> None:
        """
        Args:
            heads, kv_heads: that this process has.
        """
        super().__init__()
        self.shard = shard
        self.wq = Linear(hidden_size, heads * head_dim)
        self.wk = Linear(hidden_size, kv_heads * head_dim)
        self.wv = Linear(hidden_size, kv_heads * head_dim)
        self.wo = Linear(heads * head_dim, hidden_size)

    def forward(
        self, x: Tensor, norm: RMSNorm, rotations: Tensor, cache: ops.LayerCache, batch: ops.PagedBatch
    ) -> Tensor:
        """`x + attention(norm(x))`, `[tokens, hidden_size]`; keys and values are put into the cache."""
        weights = (self.wq.weight, self.wk.weight, self.wv.weight, self.wo.weight)
        return self.shard.joined(
            x, lambda x: ops.attention_block(x, norm.weight, norm.eps, weights, rotations, cache, batch)
        )


class FeedForward(nn.Module):
    """`w2(silu(w1 x) * w3 x)`."""

    def __init__(self, hidden_size: int, intermediate_size: int, shard: Shard = ALONE) -> None:
        """
        Args:
            intermediate_size: what this process has of it.
        """
        super().__init__()
        self.shard = shard
        self.w1 = Linear(hidden_size, intermediate_size)
        self.w2 = Linear(intermediate_size, hidden_size)
        self.w3 = Linear(hidden_size, intermediate_size)

    def forward(self, x: Tensor, norm: RMSNorm) -> Tensor:
        """`x + feed_forward(norm(x))`, `[tokens, hidden_size]`."""
        weights = (self.w1.weight, self.w3.weight, self.w2.weight)
        return self.shard.joined(x, lambda x: ops.feed_forward_block(x, norm.weight, norm.eps, weights))
