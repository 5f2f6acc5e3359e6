"""Quantised matrices of safetensors checkpoints: which tensors make one up, and how they become a `ScaledTensor`."""

from mistralet.checkpoint.scaled.scheme import Parts, Scheme
from mistralet.checkpoint.scaled.schemes import IGNORED_SUFFIXES, SCHEMES, SUFFIXES

__all__ = ["IGNORED_SUFFIXES", "SCHEMES", "SUFFIXES", "Parts", "Scheme"]
