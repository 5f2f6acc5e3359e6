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
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads
        self.head_dim = config.head_dim
        self.wq = Linear(config.hidden_size, self.heads * self.head_dim)
        self.wk = Linear(config.hidden_size, self.kv_heads * self.head_dim)
        self.wv = Linear(config.hidden_size, self.kv_heads * self.head_dim)
        self.wo = Linear(self.heads * self.head_dim, config.hidden_size)

    def forward(self, x: Tensor, rotations: Tensor, start: int, cache: KVCache) -> Tensor:
        """`[tokens, hidden_size]` to the same shape; the tokens' keys and values join the cache at `start`."""
        query = ops.apply_rotary(self.wq(x).unflatten(-1, (self.heads, self.head_dim)), rotations)
        key = ops.apply_rotary(self.wk(x).unflatten(-1, (self.kv_heads, self.head_dim)), rotations)
        value = self.wv(x).unflatten(-1, (self.kv_heads, self.head_dim))
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
