"""What is asked of an engine, and what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from mistralet.engine.constraint import Constraint
from mistralet.engine.repetition import RepetitionParams
from mistralet.engine.sampling import Sampled, SamplingParams
from mistralet.errors import PromptError
from mistralet.model import Prompt

# "stop": a stop token or string; "length": max_tokens, or the context is full; "repetition": the watchdog ended a loop;
# "cancelled": by the caller; "error": this request alone failed (see `StepOutput.error`).
FinishReason = Literal["stop", "length", "repetition", "cancelled", "error"]


@dataclass(frozen=True)
class Request:
    """One prompt, and how it is to be continued."""

    prompt: Prompt
    params: SamplingParams = field(default_factory=SamplingParams)
    constraint: Constraint | None = None  # that the answer's text fits
    repetition: RepetitionParams = field(default_factory=RepetitionParams)  # what to do about endless answers
    embed: bool = False  # no answer is written: the prompt becomes a vector (`StepOutput.embedding`)
    keep_as: str | None = None  # a name under which the library keeps the prompt
    priority: int = 0  # lower runs first; equals run in the order they came
    id: str = field(default_factory=lambda: uuid4().hex)


@dataclass(slots=True)
class RequestStats:
    """What an answer took; filled while it runs. Times are in seconds."""

    prompt_tokens: int
    cached_tokens: int = 0  # of the prompt, taken from the cache when it was first scheduled
    read_tokens: int = 0  # of the prompt, so far
    output_tokens: int = 0
    queue_seconds: float = 0.0  # from arrival until it was first scheduled
    time_to_first_token: float = 0.0  # from arrival
    decode_seconds: float = 0.0  # from the first token to the last
    preemptions: int = 0
    draft_tokens: int = 0  # guessed ahead
    accepted_tokens: int = 0  # of those, guessed right

    @property
    def tokens_per_second(self) -> float:
        """Speed after the first token; 0 if there was no second one."""
        return (self.output_tokens - 1) / self.decode_seconds if self.decode_seconds > 0 else 0.0


@dataclass(slots=True)
class StepOutput:
    """What a step added to one answer."""

    request_id: str
    index: int  # which of the request's `n` answers
    token_ids: list[int]
    text: str  # what may be shown; held back while it may be the beginning of a stop string
    finish_reason: FinishReason | None
    stats: RequestStats  # of the whole answer; goes on changing while it runs
    error: str | None = None  # what failed, a sentence
    stop_string: str | None = None  # that ended the answer
    logprobs: Sequence[Sampled] = ()  # of `token_ids`, if the request asks for them
    prompt_logprobs: Sequence[Sampled] = ()  # of the prompt's tokens from the second on, if the request asks for them
    # The mean of the last hidden states over the prompt, if the request asks for it; in the last output
    embedding: list[float] | None = None


@dataclass(frozen=True)
class Completion:
    """A whole answer."""

    request_id: str
    index: int
    token_ids: list[int]
    text: str
    logprobs: list[Sampled]
    prompt_logprobs: list[Sampled]
    finish_reason: FinishReason
    error: str | None
    stats: RequestStats
    stop_string: str | None = None
    embedding: list[float] | None = None

    @classmethod
    def of(cls, outputs: Sequence[StepOutput]) -> Completion:
        """Join what the steps of one answer gave."""
        last = outputs[-1]
        assert last.finish_reason is not None
        ids = [token for output in outputs for token in output.token_ids]
        text = "".join(output.text for output in outputs)
        logprobs = [sampled for output in outputs for sampled in output.logprobs]
        return cls(
            request_id=last.request_id,
            index=last.index,
            token_ids=ids,
            text=text,
            logprobs=logprobs,
            prompt_logprobs=[sampled for output in outputs for sampled in output.prompt_logprobs],
            finish_reason=last.finish_reason,
            error=last.error,
            stats=last.stats,
            stop_string=last.stop_string,
            embedding=last.embedding,
        )


def check_prompt(ids: Sequence[int], vocab_size: int, context: int, room: int) -> None:
    """Refuse a prompt that cannot run.

    Args:
        context: tokens that the model reads at most, with the answer.
        room: tokens that the cache holds at most.

    Raises:
        PromptError: it is empty, or leaves no room in the context or in the cache.
    """
    length = len(ids)
    if not length:
        raise PromptError("The prompt is empty; say something.")
    if length >= context:
        raise PromptError(f"The prompt has {length} tokens, but the model reads at most {context - 1}; shorten it.")
    if length >= room:
        raise PromptError(
            f"The prompt has {length} tokens, but memory holds at most {room - 1}; shorten it, or store less per"
            " token (--kv-type)."
        )
    if not 0 <= min(ids) <= max(ids) < vocab_size:
        raise PromptError(f"The prompt has token ids that are outside the vocabulary (0 to {vocab_size - 1}).")
