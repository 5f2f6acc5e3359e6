"""The few operations the model calls, on tensors `[tokens, ...]`: one function each, here in plain PyTorch."""

from mistralet.ops.activation import gelu, swiglu
from mistralet.ops.attention import causal_attention, segment_attention
from mistralet.ops.linear import embedding, linear, linear_many
from mistralet.ops.norm import rms_norm
from mistralet.ops.rotary import apply_rotary, rotary_table, rotary_table_2d

__all__ = [
    "apply_rotary",
    "causal_attention",
    "embedding",
    "gelu",
    "linear",
    "linear_many",
    "rms_norm",
    "rotary_table",
    "rotary_table_2d",
    "segment_attention",
    "swiglu",
]
