"""The few operations the model calls, on tensors `[tokens, ...]`: one function each, native where it can be."""

from mistralet.ops.activation import gelu, swiglu
from mistralet.ops.attention import attend, rotate_and_store
from mistralet.ops.blocks import attention_block, feed_forward_block
from mistralet.ops.linear import SCORE_BLOCK, embedding, linear, norm_linear, score
from mistralet.ops.norm import rms_norm
from mistralet.ops.paged import BLOCK_SIZE, LayerCache, PagedBatch, PagedTables, Span, blocks_for
from mistralet.ops.rotary import apply_rotary, rotary_table, rotary_table_2d
from mistralet.ops.together import Matrix, lay_together

__all__ = [
    "BLOCK_SIZE",
    "SCORE_BLOCK",
    "LayerCache",
    "Matrix",
    "PagedBatch",
    "PagedTables",
    "Span",
    "apply_rotary",
    "attend",
    "attention_block",
    "blocks_for",
    "embedding",
    "feed_forward_block",
    "gelu",
    "lay_together",
    "linear",
    "norm_linear",
    "rms_norm",
    "rotary_table",
    "rotary_table_2d",
    "rotate_and_store",
    "score",
    "swiglu",
]
