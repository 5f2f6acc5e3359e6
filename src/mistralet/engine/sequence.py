"""`Sequence`: one answer in the making."""

from __future__ import annotations

import time
from collections.abc import Sequence as ListOf
from enum import Enum

import torch

from mistralet.engine.answer import Answer
from mistralet.engine.block_pool import Block
from mistralet.engine.contents import contents, prefix_digests
from mistralet.engine.request import Request, RequestStats, StepOutput
from mistralet.engine.sampling import Sampled, SamplerRow
from mistralet.ops import BLOCK_SIZE, blocks_for


class State(Enum):
    """Where a sequence is."""

    WAITING = "waiting"  # has no blocks
    RUNNING = "running"
    FINISHED = "finished"


class Sequence:
    """The tokens of one answer and its prompt, and where their keys and values lie."""

    def __init__(
        self, request: Request, index: int, arrival: int, answer: Answer, sampler_row: SamplerRow, root: bytes
    ) -> None:
        """
        Args:
            index: which of the request's answers.
            arrival: number in the order of arrival.
            answer: takes the tokens.
            sampler_row: of the same answer's tokens.
            root: digest of the empty prefix.
        """
        self.request = request
        self.index = index
        self.rank = (request.priority, arrival)
        self.arrived = time.perf_counter()
        self.was_scheduled = False
        self.prompt_length = len(request.prompt.ids)
        self.answer = answer
        self.sampler_row = sampler_row
        self.root = root
        self.ids = list(request.prompt.ids)
        self.images = request.prompt.images
        self.contents = contents(request.prompt) if request.prompt.images else self.ids
        self.state = State.WAITING
        self.scored = 0  # tokens of the prompt whose logprobs are told, if they are asked for
        self.pooled: torch.Tensor | None = None  # sum of the hidden states of those computed, if `embed` asks for it
        self.embedding: list[float] | None = None  # their mean, once all are
        self.computed = 0  # tokens whose keys and values are in the cache
        self.blocks: list[Block] = []
        self.block_table = torch.empty(0, dtype=torch.int32)  # indices of `blocks`, with room to grow
        self.stats = RequestStats(prompt_tokens=self.prompt_length)
        self._digests: list[bytes] = []

    @property
    def pending(self) -> int:
        """Tokens that must run before the next can be drawn: 1 while it decodes."""
        return len(self.ids) - self.computed

    @property
    def left(self) -> int:
        """Tokens that its answer may still have after those it has here: their text may come later."""
        return self.answer.room - (len(self.ids) - self.prompt_length)

    @property
    def reusable(self) -> int:
        """How many of its tokens may come from the cache: all but the last, which leads to the next one.

        Not one where something is asked for that only comes of running all of them.
        """
        runs_all = self.request.embed or self.request.params.prompt_logprobs is not None
        return 0 if runs_all else len(self.ids) - 1

    @property
    def room(self) -> int:
        """Tokens that the blocks it has can hold."""
        return len(self.blocks) * BLOCK_SIZE

    @property
    def digests(self) -> list[bytes]:
        """Of the prefixes that end with each whole block of tokens."""
        if len(self._digests) < len(self.contents) // BLOCK_SIZE:
            self._digests = prefix_digests(self.root, self.contents, self._digests)
        return self._digests

    def extend(self, tokens: list[int]) -> None:
        """Add tokens of the answer."""
        self.ids += tokens
        if self.contents is not self.ids:
            self.contents += tokens

    def count(self, added: int, guessed: int, now: float) -> None:
        """Bring `stats` up to date after a step: so many tokens came of it, so many were guessed for it."""
        stats = self.stats
        if stats.read_tokens < self.prompt_length:
            stats.read_tokens = min(self.computed, self.prompt_length)
        if guessed:
            stats.draft_tokens += guessed
            stats.accepted_tokens += max(0, added - 1)
        if not added:
            return
        if not stats.output_tokens:
            stats.time_to_first_token = now - self.arrived
        stats.output_tokens += added
        stats.decode_seconds = now - self.arrived - stats.time_to_first_token

    def output(
        self,
        token_ids: list[int],
        text: str,
        logprobs: ListOf[Sampled] = (),
        prompt_logprobs: ListOf[Sampled] = (),
    ) -> StepOutput:
        """What a step added to the answer, and how it stands; `logprobs` are told only if they are asked for."""
        told = logprobs if self.request.params.logprobs is not None else ()
        answer = self.answer
        return StepOutput(
            self.request.id,
            self.index,
            token_ids,
            text,
            answer.finish_reason,
            self.stats,
            answer.error,
            answer.stop_string,
            told,
            prompt_logprobs,
            self.embedding,
        )

    def hold(self, block: Block) -> None:
        """Add a block to those the sequence owns."""
        if len(self.blocks) == len(self.block_table):
            room = max(8, 2 * len(self.blocks), blocks_for(len(self.ids)))
            table = torch.zeros(room, dtype=torch.int32)
            table[: len(self.blocks)] = self.block_table
            self.block_table = table
        self.block_table[len(self.blocks)] = block.index
        self.blocks.append(block)

    def shared_length(self, other: Sequence) -> int:
        """Tokens that two sequences share from the start."""
        low, high = 0, min(len(self.digests), len(other.digests))
        while low < high:  # equal digests mean equal prefixes: look for the last equal one
            middle = (low + high + 1) // 2
            if self.digests[middle - 1] == other.digests[middle - 1]:
                low = middle
            else:
                high = middle - 1
        begin = low * BLOCK_SIZE
        pairs = list(zip(*(s.contents[begin : begin + BLOCK_SIZE] for s in (self, other)), strict=False))
        return begin + next((place for place, (a, b) in enumerate(pairs) if a != b), len(pairs))
