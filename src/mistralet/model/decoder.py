"""The text decoder's layer: norm, attend, add; norm, feed forward, add (SPEC 1.1)."""

from __future__ import annotations

from torch import Tensor, nn

from mistralet import ops
from mistralet.config import ModelConfig
from mistralet.model.kv_cache import KVCache
from mistralet.model.layers import FeedForward, Linear, RMSNorm


class CausalAttention(nn.Module):
    """Grouped-query attention with rotary positions over a cache."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        query_size = config.num_attention_heads * config.head_dim
        kv_size = config.num_key_value_heads * config.head_dim
        self.wq = Linear(config.hidden_size, query_size)
        self.wk = Linear(config.hidden_size, kv_size)
        self.wv = Linear(config.hidden_size, kv_size)
        self.wo = Linear(query_size, config.hidden_size)

    def forward(self, x: Tensor, rotations: Tensor, start: int, cache: KVCache) -> Tensor:
        """`[tokens, hidden_size]` to the same shape; the tokens' keys and values join the cache at `start`."""
        query, key, value = (
            projected.unflatten(-1, (-1, self.head_dim))
            for projected in ops.linear_many(x, (self.wq.weight, self.wk.weight, self.wv.weight))
        )
        query, key = ops.apply_rotary(query, rotations), ops.apply_rotary(key, rotations)
        keys, values = cache.store(self.layer, start, key, value)
        return self.wo(ops.causal_attention(query, keys, values).flatten(-2))


class DecoderLayer(nn.Module):
    """One of the decoder's layers."""

    def __init__(self, config: ModelConfig, layer: int) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = CausalAttention(config, layer)
        self.ffn_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.feed_forward = FeedForward(config.hidden_size, config.intermediate_size)

    def forward(self, x: Tensor, rotations: Tensor, start: int, cache: KVCache) -> Tensor:
        """`[tokens, hidden_size]` to the same shape."""
        x = x + self.attention(self.attention_norm(x), rotations, start, cache)
        return x + self.feed_forward(self.ffn_norm(x))
