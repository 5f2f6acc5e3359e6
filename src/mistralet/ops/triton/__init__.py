"""Kernels for GPUs in Triton. Importing this needs the package `triton`, which PyTorch's CUDA builds bring."""

from mistralet.ops.triton.decode_attention import decode_attention
from mistralet.ops.triton.normalise import rms_norm
from mistralet.ops.triton.rotate_and_store import rotate_and_store
from mistralet.ops.triton.scaled_linear import scaled_linear
from mistralet.ops.triton.swiglu import swiglu

__all__ = ["decode_attention", "rms_norm", "rotate_and_store", "scaled_linear", "swiglu"]
