"""Weight formats: how a matrix lies in memory, and how its values come back.

Every block format is one file that says how codes, scales and offsets are packed; `FORMATS` lists them by name. What
checkpoints for GPUs hold is a `ScaledTensor`.
"""

from mistralet.quant.as_blocks import as_blocks, block_format_of
from mistralet.quant.block import BlockFormat, QuantizedTensor, UnpackedBlocks
from mistralet.quant.packed import PackedTensor, pack, packed_nbytes
from mistralet.quant.q4_0 import Q4_0
from mistralet.quant.q4_1 import Q4_1
from mistralet.quant.q4_k import Q4_K
from mistralet.quant.q5_0 import Q5_0
from mistralet.quant.q5_1 import Q5_1
from mistralet.quant.q5_k import Q5_K
from mistralet.quant.q6_k import Q6_K
from mistralet.quant.q8_0 import Q8_0, quantize_q8_0
from mistralet.quant.rounding import round_weight
from mistralet.quant.scaled import NF4_VALUES, Encoding, ScaledTensor, join_rows, pack_half_bytes, scaled

FORMATS = {block_format.name: block_format for block_format in (Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K)}

__all__ = [
    "FORMATS",
    "NF4_VALUES",
    "Q8_0",
    "BlockFormat",
    "Encoding",
    "PackedTensor",
    "QuantizedTensor",
    "ScaledTensor",
    "UnpackedBlocks",
    "as_blocks",
    "block_format_of",
    "join_rows",
    "pack",
    "pack_half_bytes",
    "packed_nbytes",
    "quantize_q8_0",
    "round_weight",
    "scaled",
]
