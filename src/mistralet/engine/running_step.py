"""`RunningStep` and `Drawn`: a run of the model that was asked for, and what it led to."""

from __future__ import annotations

from collections.abc import Sequence as ListOf
from dataclasses import dataclass

from torch import Tensor

from mistralet.engine.sampling import Sampled
from mistralet.engine.scheduler import Chunk
from mistralet.engine.sequence import State


@dataclass(frozen=True, eq=False)
class RunningStep:
    """What a step runs, and what the model says; on a GPU it may still be at it."""

    chunks: list[Chunk]
    hidden: Tensor  # [tokens, hidden_size]; it holds until the next step is launched
    logits: Tensor  # float32 [rows, vocab_size], of the rows that are drawn from
    maxima: Tensor | None  # see `Sampler`
    begun: float  # when it was scheduled
    model_seconds: float  # that the call of the model took

    @property
    def is_wanted(self) -> bool:
        """Whether any of its sequences has not ended since it was launched."""
        return any(chunk.sequence.state is State.RUNNING for chunk in self.chunks)


@dataclass(eq=False, slots=True)
class Drawn:
    """What a step led to for one sequence."""

    chunk: Chunk
    sampled: ListOf[Sampled]
    prompt_logprobs: ListOf[Sampled]
    time: float
    is_settled: bool = False  # the sequence has the tokens already

    @property
    def is_certain(self) -> bool:
        """Whether the tokens are part of the answer whatever its text will say, and do not end it by themselves."""
        answer = self.chunk.sequence.answer
        # How much of a guess counts follows from the text, too; and what a grammar allows next is asked at the launch.
        if self.chunk.draft or answer.matcher is not None or answer.finish_reason is not None:
            return False
        return all(sampled.problem is None and not answer.is_last(sampled.token) for sampled in self.sampled)
