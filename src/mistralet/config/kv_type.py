"""`KVType`: what the keys and values of past tokens are stored as."""

from __future__ import annotations

from enum import StrEnum

from mistralet.errors import UsageError

INT4_GROUP = 32  # features that share a scale


class KVType(StrEnum):
    """An element type of a cache, by its name in options. The native kernels know theirs by the order (kv_types.h)."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    INT8 = "int8"  # a float32 scale for each head and token
    INT4 = "int4"  # keys of 5 bits, values of 4, a float16 scale for each 32 (quant/kv_int4.py)
    FP8 = "fp8"  # float8 e4m3fn, a float32 scale for each head and token; for GPUs

    @property
    def is_native(self) -> bool:
        """Whether the native kernels know it; on a CPU, PyTorch's operations serve the others."""
        return self is not KVType.FP8

    def fits(self, head_dim: int) -> bool:
        """Whether heads of that size can be stored so."""
        return self is not KVType.INT4 or head_dim % INT4_GROUP == 0

    def token_bytes(self, head_dim: int) -> int:
        """Bytes of the key and the value of one head of one token.

        Raises:
            UsageError: heads of that size cannot be stored so.
        """
        if not self.fits(head_dim):
            raise UsageError(
                f"Heads of {head_dim} features do not fit an int4 cache, which takes multiples of {INT4_GROUP}; "
                "choose int8."
            )
        if self is KVType.INT4:
            return head_dim // 8 * (5 + 4) + head_dim // INT4_GROUP * 2 * 2
        if self in (KVType.INT8, KVType.FP8):
            return 2 * (head_dim + 4)
        return 2 * head_dim * (4 if self is KVType.FLOAT32 else 2)
