"""`Scheduler`: which tokens of which sequences go through the model in the next step."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mistralet.engine.block_pool import Block, BlockPool, Match
from mistralet.engine.sequence import Sequence, State
from mistralet.ops import BLOCK_SIZE, blocks_for

# A prompt waits for another that is being read if that saves it this many tokens.
_WORTH_WAITING = 4


@dataclass(eq=False, slots=True)
class Chunk:
    """Tokens of one sequence in a step: the next `tokens` of its own, and a guess of what follows them."""

    sequence: Sequence
    tokens: int
    draft_room: int = 0  # tokens that may be guessed
    draft: list[int] = field(default_factory=list)

    @property
    def draws(self) -> bool:
        """Whether the step leads to the sequence's next token."""
        return self.is_last and not self.sequence.request.embed

    @property
    def is_last(self) -> bool:
        """Whether the step reads all there is of the sequence."""
        return self.tokens == self.sequence.pending


class Scheduler:
    """Shares a cache among sequences: first those that decode get their token, then prompts are read.

    Lower ranks come first. When the blocks run out, the highest rank that runs gives its own back and waits; its
    tokens are computed again later, as far as the cache has lost them.
    """

    def __init__(
        self,
        pool: BlockPool,
        max_sequences: int,
        copy_block: Callable[[int, int], None],
        restore: Callable[[Sequence], int],
    ) -> None:
        """
        Args:
            max_sequences: that run at once.
            copy_block: copies what lies in the block of the first index to that of the second, in every layer.
            restore: fills blocks of a sequence that has just got them from elsewhere; how many tokens there are now.
        """
        self.pool = pool
        self.max_sequences = max_sequences
        self.copy_block = copy_block
        self.restore = restore
        self.waiting: list[Sequence] = []  # by rank
        self.running: list[Sequence] = []  # by rank
        self.preempted: list[Sequence] = []  # in the last call of `schedule`

    @property
    def load(self) -> dict[str, Any]:
        """How much there is to do, and how much room; as the facts of an event."""
        return {"running": len(self.running), "waiting": len(self.waiting), "free_blocks": self.pool.free}

    @property
    def is_steady(self) -> bool:
        """Whether the next step does no more than decode all that run: nobody reads, comes in, or must make room."""
        if any(sequence.pending != 1 for sequence in self.running):
            return False
        if self.waiting and len(self.running) < self.max_sequences:
            return False
        return sum(sequence.room == sequence.computed for sequence in self.running) <= self.pool.free

    def add(self, sequence: Sequence) -> None:
        """Let a sequence wait for its turn."""
        insort(self.waiting, sequence, key=lambda s: s.rank)

    def remove(self, sequence: Sequence) -> None:
        """Take a sequence out, whatever it is doing; its blocks are free at once."""
        if sequence.state is State.WAITING:
            self.waiting.remove(sequence)
        elif sequence.state is State.RUNNING:
            self.running.remove(sequence)
            self._release(sequence)
        sequence.state = State.FINISHED

    def schedule(self, budget: int, draft_length: Callable[[Sequence], int]) -> list[Chunk]:
        """Choose what runs next.

        Args:
            budget: tokens of prompts that may be read; decoding comes on top.
            draft_length: how many tokens to guess for a sequence that decodes.
        """
        self.preempted = []
        decoding = [sequence for sequence in self.running if sequence.pending == 1]
        chunks = [
            Chunk(sequence, 1, self._draft_room(sequence, draft_length(sequence)))
            for sequence in decoding
            if sequence.state is State.RUNNING and self._make_room(sequence)
        ]
        self._admit_waiting()
        decoded = set(decoding)
        reading = [sequence for sequence in self.running if sequence not in decoded]
        shares = share(budget, [sequence.pending for sequence in reading])
        return chunks + [Chunk(*pair) for pair in zip(reading, shares, strict=True) if pair[1]]

    def advance(self, sequence: Sequence, tokens: int) -> None:
        """Tell that the next `tokens` tokens of a sequence are computed."""
        begin, end = sequence.computed, sequence.computed + tokens
        while begin < end:
            block = begin // BLOCK_SIZE
            block_end = (block + 1) * BLOCK_SIZE
            stop = min(end, block_end)
            if begin % BLOCK_SIZE == 0:
                before = sequence.digests[block - 1] if block else sequence.root
                self.pool.begin(sequence.blocks[block], before, sequence.contents[begin])
            digest = sequence.digests[block] if stop == block_end else None
            self.pool.store(sequence.blocks[block], sequence.contents[begin:stop], digest)
            begin = stop
        sequence.computed = end

    def _make_room(self, sequence: Sequence) -> bool:
        """Give a running sequence room for its next token; False if it had to give its own blocks back."""
        while sequence.room == sequence.computed:
            block = self.pool.allocate()
            if block is not None:
                sequence.hold(block)
                continue
            victim = self.running[-1]
            self._preempt(victim)
            if victim is sequence:
                return False
        return True

    def _draft_room(self, sequence: Sequence, tokens: int) -> int:
        """How many of so many guessed tokens there is room for without taking any from others."""
        if not tokens:
            return 0
        while sequence.room < sequence.computed + 1 + tokens and self.pool.free > len(self.running):
            sequence.hold(self._allocated())
        return min(tokens, sequence.room - sequence.computed - 1)

    def _allocated(self) -> Block:
        block = self.pool.allocate()
        assert block is not None  # there was room
        return block

    def _preempt(self, sequence: Sequence) -> None:
        self.running.remove(sequence)
        self._release(sequence)
        sequence.state = State.WAITING
        sequence.stats.preemptions += 1
        self.preempted.append(sequence)
        self.add(sequence)

    def _release(self, sequence: Sequence) -> None:
        for block in reversed(sequence.blocks):  # so that the end of a prefix is given up before its beginning
            self.pool.release(block)
        sequence.blocks.clear()
        sequence.computed = 0

    def _admit_waiting(self) -> None:
        """Let those that wait run, one after the other, until there is no room for the next."""
        for sequence in list(self.waiting):
            if len(self.running) >= self.max_sequences:
                return
            match = self.pool.match(sequence.contents, sequence.digests, sequence.reusable)
            if any(self._is_reading_for(other, sequence, match.length) for other in self.running):
                continue
            if not self._fits(sequence, match):
                match = Match(match.blocks)  # a copy of a block needs one more
                if not self._fits(sequence, match):
                    return
            self._admit(sequence, match)

    def _is_reading_for(self, other: Sequence, sequence: Sequence, matched: int) -> bool:
        """Whether `other` is about to compute tokens that `sequence` can then take from the cache."""
        if other.pending <= 1 or len(other.ids) - 1 <= matched:
            return False
        shared = min(other.shared_length(sequence), sequence.reusable)
        return shared - matched >= _WORTH_WAITING and other.computed < shared

    def _fits(self, sequence: Sequence, match: Match) -> bool:
        """Whether there are blocks for all its tokens, and one more for each that runs already."""
        kept = [*match.blocks, match.partial] if match.partial else match.blocks
        needed = blocks_for(len(sequence.ids)) - len(match.blocks) + sum(block.references == 0 for block in kept)
        return needed + len(self.running) <= self.pool.free

    def _admit(self, sequence: Sequence, match: Match) -> None:
        for block in match.blocks:
            self.pool.refer(block)
            sequence.hold(block)
        sequence.computed = len(match.blocks) * BLOCK_SIZE
        if match.partial is not None:
            self.pool.refer(match.partial)  # so that it is not taken for the copy
        while len(sequence.blocks) < blocks_for(len(sequence.ids)):
            sequence.hold(self._allocated())
        if match.partial is not None:
            self.copy_block(match.partial.index, sequence.blocks[len(match.blocks)].index)
            self.pool.release(match.partial)
            self.advance(sequence, match.tokens)
        self.advance(sequence, self.restore(sequence) - sequence.computed)
        self.waiting.remove(sequence)
        insort(self.running, sequence, key=lambda s: s.rank)
        sequence.state = State.RUNNING


def share(budget: int, wants: list[int]) -> list[int]:
    """Divide tokens among prompts: half to the first, so that it ends; the rest to the shortest, so that they pass it.

    Args:
        budget: tokens in all.
        wants: what each could take.
    """
    shares = [0] * len(wants)

    def give(index: int, most: int) -> None:
        nonlocal budget
        given = min(wants[index] - shares[index], most, budget)
        shares[index] += given
        budget -= given

    if wants:
        give(0, -(-budget // 2))
    for index in sorted(range(1, len(wants)), key=lambda i: wants[i]):
        give(index, budget)
    if wants:
        give(0, budget)
    return shares
