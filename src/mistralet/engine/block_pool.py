"""`BlockPool`: who owns the blocks of the KV cache, and which blocks hold a prefix that may be used again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from mistralet.ops import BLOCK_SIZE

# Blocks that go on from the same prefix with the same token, among which the longest match is sought.
_CANDIDATES = 64


@dataclass(eq=False, slots=True)
class Block:
    """One block of the cache, and what lies in it."""

    index: int
    references: int = 0
    before: bytes = b""  # digest of the prefix that ends where the block begins
    contents: list[int] = field(default_factory=list)  # of the tokens stored, at most BLOCK_SIZE
    digest: bytes | None = None  # of the prefix that ends with the block, once it is full


@dataclass(frozen=True)
class Match:
    """What of a prefix is stored: whole blocks, and the first `tokens` of one more."""

    blocks: list[Block]
    partial: Block | None = None
    tokens: int = 0

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.blocks) * BLOCK_SIZE + self.tokens


class BlockPool:
    """The blocks of a cache. A block nobody refers to keeps what it holds until it is needed, the oldest first.

    Whole blocks are shared; of a block that matches in part the caller makes a copy to go on from, so what others
    read never changes.
    """

    def __init__(self, blocks: int, root: bytes) -> None:
        """
        Args:
            root: digest of the empty prefix (see `contents.root_digest`).
        """
        self.size = blocks
        self.root = root
        self._idle = OrderedDict((index, Block(index)) for index in range(blocks))  # without references, oldest first
        self._whole: dict[bytes, Block] = {}
        self._by_start: dict[tuple[bytes, int], list[Block]] = {}  # by the prefix before, and the first token

    @property
    def free(self) -> int:
        """Blocks that nobody refers to."""
        return len(self._idle)

    def match(self, contents: Sequence[int], digests: Sequence[bytes], limit: int) -> Match:
        """The longest stored prefix of `contents`, of at most `limit` tokens.

        Args:
            digests: of the prefixes that end with each whole block (see `contents.prefix_digests`).
        """
        blocks: list[Block] = []
        for digest in digests[: limit // BLOCK_SIZE]:
            block = self._whole.get(digest)
            if block is None:
                break
            blocks.append(block)
        before = digests[len(blocks) - 1] if blocks else self.root
        rest = contents[len(blocks) * BLOCK_SIZE : min(limit, (len(blocks) + 1) * BLOCK_SIZE)]
        partial, tokens = self._longest_start(before, rest)
        return Match(blocks, partial, tokens)

    def _longest_start(self, before: bytes, rest: Sequence[int]) -> tuple[Block | None, int]:
        best, longest = None, 0
        candidates = self._by_start.get((before, rest[0]), []) if rest else []
        for block in candidates[-_CANDIDATES:]:
            pairs = zip(block.contents, rest, strict=False)
            common = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(block.contents), len(rest)))
            if common > longest:
                best, longest = block, common
        return best, longest

    def refer(self, block: Block) -> None:
        """Take a block that is stored; it stays until as many `release` it."""
        block.references += 1
        self._idle.pop(block.index, None)

    def allocate(self) -> Block | None:
        """An empty block with one reference; None if every block is referred to."""
        if not self._idle:
            return None
        _, block = self._idle.popitem(last=False)
        self._forget(block)
        block.references = 1
        return block

    def release(self, block: Block) -> None:
        """Give a reference back. The last one leaves what the block holds to be found again."""
        block.references -= 1
        assert block.references >= 0
        if block.references:
            return
        self._idle[block.index] = block
        if not block.contents:
            self._idle.move_to_end(block.index, last=False)

    def begin(self, block: Block, before: bytes, first: int) -> None:
        """Tell what an empty block will begin with.

        Args:
            before: digest of the prefix up to the block's beginning.
            first: its first token's contents.
        """
        block.before = before
        self._by_start.setdefault((before, first), []).append(block)

    def store(self, block: Block, contents: Sequence[int], digest: bytes | None = None) -> None:
        """Tell that the next tokens of a block are computed; from now on a prompt may find them.

        Args:
            digest: of the prefix that ends with the block, if these tokens fill it.
        """
        block.contents.extend(contents)
        if digest is not None:
            block.digest = digest
            self._whole.setdefault(digest, block)

    def _forget(self, block: Block) -> None:
        if block.digest is not None and self._whole.get(block.digest) is block:
            del self._whole[block.digest]
        if block.contents:
            start = (block.before, block.contents[0])
            others = self._by_start[start]
            others.remove(block)
            if not others:
                del self._by_start[start]
        block.before, block.contents, block.digest = b"", [], None
