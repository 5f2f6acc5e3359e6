"""Which kinds of quantised matrices a checkpoint may hold, by its method; and what the parts of one are called."""

from __future__ import annotations

from mistralet.checkpoint.scaled.awq import AWQ
from mistralet.checkpoint.scaled.bitsandbytes import NF4
from mistralet.checkpoint.scaled.bytes_with_scales import FP8, INT8
from mistralet.checkpoint.scaled.gptq import GPTQ
from mistralet.checkpoint.scaled.pack_quantized import PACKED

SCHEMES = {
    "compressed-tensors": (FP8, INT8, PACKED),
    "fp8": (FP8,),
    "gptq": (GPTQ,),
    "awq": (AWQ,),
    "bitsandbytes": (NF4,),
}

# By what activations, keys and values are to be rounded, which is not done here.
IGNORED_SUFFIXES = (".input_scale", ".activation_scale", ".output_scale", ".k_scale", ".v_scale")
# What the names of parts end in; the longest first, since one may end another.
SUFFIXES = tuple(
    sorted(
        (
            ".weight",
            ".weight_packed",
            ".weight_scale",
            ".weight_scale_inv",
            ".weight_shape",
            ".weight_zero_point",
            ".weight_g_idx",
            ".qweight",
            ".qzeros",
            ".scales",
            ".g_idx",
            ".weight.absmax",
            ".weight.quant_map",
            ".weight.nested_absmax",
            ".weight.nested_quant_map",
            ".weight.quant_state.bitsandbytes__nf4",
            *IGNORED_SUFFIXES,
        ),
        key=len,
        reverse=True,
    )
)
