"""What makes two prefixes equal: the numbers and digests by which blocks of the KV cache are found again."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mistralet.model import Prompt
from mistralet.ops import BLOCK_SIZE

# Digests of the text before a block, and of the block, are this long: nobody can make two that are equal.
_DIGEST_BYTES = 32
_NUMBER_BYTES = 16


def contents(prompt: Prompt) -> list[int]:
    """For each token a number below 2^128 that stands for all the model reads there.

    A token of text is its id. A token of an image stands for the image's bytes and its place in it.
    """
    numbers = list(prompt.ids)
    for image in prompt.images:
        for place in range(image.length):
            digest = hashlib.sha256(f"{image.digest}:{place}".encode()).digest()
            numbers[image.start + place] = int.from_bytes(digest[:_NUMBER_BYTES], "little") | 1 << 127
    return numbers


def prefix_digests(root: bytes, numbers: Sequence[int], known: list[bytes]) -> list[bytes]:
    """The digests of the prefixes of `numbers` that end with each whole block; `known` are the first of them."""
    digests = list(known)
    for begin in range(len(known) * BLOCK_SIZE, len(numbers) - BLOCK_SIZE + 1, BLOCK_SIZE):
        digests.append(block_digest(digests[-1] if digests else root, numbers[begin : begin + BLOCK_SIZE]))
    return digests


def root_digest(name: str) -> bytes:
    """The digest of an empty prefix, for the caches of the model (and adapter) called `name`."""
    return hashlib.blake2b(name.encode(), digest_size=_DIGEST_BYTES).digest()


def block_digest(before: bytes, block: Sequence[int]) -> bytes:
    """The digest of a prefix that ends with `block`, from the digest of the prefix before it."""
    numbers = b"".join([number.to_bytes(_NUMBER_BYTES, "little") for number in block])
    return hashlib.blake2b(before + numbers, digest_size=_DIGEST_BYTES).digest()
