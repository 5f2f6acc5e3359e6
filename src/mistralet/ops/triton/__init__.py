"""Kernels for GPUs in Triton. Importing this needs the package `triton`, which PyTorch's CUDA builds bring."""

from mistralet.ops.triton.decode_attention import decode_attention
from mistralet.ops.triton.normalise import rms_norm
from mistralet.ops.triton.scaled_linear import scaled_linear

__all__ = ["decode_attention", "rms_norm", "scaled_linear"]
