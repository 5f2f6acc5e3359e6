"""The text decoder's layer: norm, attend, add; norm, feed forward, add (SPEC 1.1)."""

from __future__ import annotations

from torch import Tensor, nn

from mistralet import ops
from mistralet.config import ModelConfig
from mistralet.model.layers import Attention, FeedForward, RMSNorm
from mistralet.model.shard import ALONE, Shard


class DecoderLayer(nn.Module):
    """One of the decoder's layers."""

    def __init__(self, config: ModelConfig, shard: Shard = ALONE) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attention = Attention(
            config.hidden_size, config.num_attention_heads, config.num_key_value_heads, config.head_dim, shard
        )
        self.ffn_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.feed_forward = FeedForward(config.hidden_size, config.intermediate_size, shard)

    def forward(self, x: Tensor, rotations: Tensor, cache: ops.LayerCache, batch: ops.PagedBatch) -> Tensor:
        """`[tokens, hidden_size]` to the same shape; the tokens' keys and values join the cache."""
        x = self.attention(x, self.attention_norm, rotations, cache, batch)
        return self.feed_forward(x, self.ffn_norm)
