"""Random weights in the packed formats: every block is valid, and a matrix of them neither explodes nor fades out.

Weights have a mean of 0 and a deviation of about 0.02, as a trained model's have.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

DEVIATION = 0.02
# Random blocks made of each type. An odd number that is no multiple of 5: the rows of the model are of 16, 20 and 128
# blocks, so that rows cut out of a repeated pool differ from each other until the whole pool has gone by that often.
POOL_BLOCKS = 79_889


def q4_k_blocks(count: int) -> Bytes:
    """`count` blocks of Q4_K, `[count, 144]`."""
    blocks = _random("Q4_K", count, 144)
    # A weight is `d * scale * code - dmin * minimum`, codes from 0 to 15. With the minimum's six bits equal to the
    # scale's and dmin = 7.5 d it is `d * scale * (code - 7.5)`, whose mean is 0.
    blocks[:, 4:8] |= 0b1010_0000  # the highest bit of the scales of groups 0 to 3 and 4 to 7: 32 to 63
    blocks[:, 8:12] = blocks[:, 4:8]
    blocks[:, 12:16] = (blocks[:, 12:16] & 15) * 17  # the same low half twice
    d = DEVIATION / (_deviation(np.arange(16)) * _root_mean_square(np.arange(32, 64)))
    blocks[:, 0:4] = _half_bytes(d, 7.5 * d)
    return blocks


def q6_k_blocks(count: int) -> Bytes:
    """`count` blocks of Q6_K, `[count, 210]`."""
    blocks = _random("Q6_K", count, 210)
    # A weight is `d * scale * code`, scales from -128 to 127, codes from -32 to 31.
    d = DEVIATION / (_root_mean_square(np.arange(-32, 32)) * _root_mean_square(np.arange(-128, 128)))
    blocks[:, 208:210] = _half_bytes(d)
    return blocks


def ones(count: int) -> Bytes:
    """`count` norm weights of 1 in float32, `[count, 4]`."""
    return np.ones((count, 1), np.float32).view(np.uint8)


MAKERS = {"Q4_K": q4_k_blocks, "Q6_K": q6_k_blocks, "F32": ones}


class Pool:
    """Blocks of one type, cut into tensors of any size: each starts elsewhere in the pool and goes round it."""

    def __init__(self, dtype: str, blocks: int = POOL_BLOCKS) -> None:
        self._bytes = MAKERS[dtype](blocks)

    def cut(self, nbytes: int, seed: int) -> Bytes:
        """`nbytes` bytes of whole blocks; the same seed gives the same."""
        blocks, block_bytes = self._bytes.shape
        start = seed * 7919 % blocks  # a prime, so that neighbours are far apart
        flat = np.roll(self._bytes, -start, axis=0).reshape(-1)
        out = np.empty(nbytes, np.uint8)
        for begin in range(0, nbytes, blocks * block_bytes):
            piece = out[begin : begin + flat.size]
            piece[:] = flat[: piece.size]
        return out


def _random(seed: str, count: int, block_bytes: int) -> Bytes:
    # A hash and not a random number generator, whose stream may change from one numpy to the next.
    stream = hashlib.shake_128(seed.encode()).digest(count * block_bytes)
    return np.frombuffer(stream, np.uint8).reshape(count, block_bytes).copy()


def _half_bytes(*values: float) -> Bytes:
    return np.array(values, np.float16).view(np.uint8)


def _deviation(values: NDArray[np.int_]) -> float:
    return float(np.std(values))


def _root_mean_square(values: NDArray[np.int_]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
