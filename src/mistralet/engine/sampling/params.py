"""`SamplingParams`: how a request wants its tokens chosen."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mistralet.engine.sampling.random_numbers import LARGEST_SEED, seed_of_choice
from mistralet.errors import UsageError

# What the model cards of all three releases recommend (SPEC 3.2).
DEFAULT_TEMPERATURE = 0.15
_SMALLEST_TEMPERATURE = 1e-6
# Those of the definition of DRY (see dry.py).
DEFAULT_BREAKERS = ("\n", ":", '"', "*")

_INT32 = (1 << 31) - 1
# What each number is called, and from where to where it may go.
_RANGES: dict[str, tuple[str, float, float]] = {
    "temperature": ("temperature", 0, 100),
    "top_k": ("top_k", 0, _INT32),
    "top_p": ("top_p", 0, 1),
    "min_p": ("min_p", 0, 1),
    "repetition_penalty": ("repetition_penalty", 0.01, 100),
    "presence_penalty": ("presence_penalty", -2, 2),
    "frequency_penalty": ("frequency_penalty", -2, 2),
    "dry_multiplier": ("dry_multiplier", 0, 100),
    "dry_base": ("dry_base", 1, 100),
    "dry_allowed_length": ("dry_allowed_length", 1, _INT32),
    "dry_range": ("dry_range", 0, _INT32),
    "n": ("number of answers (n)", 1, 128),
    "logprobs": ("number of logprobs", 0, 20),
    "prompt_logprobs": ("number of prompt_logprobs", 0, 20),
    "max_tokens": ("number of tokens to generate", 1, _INT32),
    "min_tokens": ("least number of tokens to generate", 0, _INT32),
    "seed": ("seed", 0, LARGEST_SEED),
}


@dataclass(frozen=True)
class SamplingParams:
    """How to choose tokens, and when to stop; names and meanings are those of OpenAI and vLLM.

    Scores are changed in this order: repetition, frequency and presence penalty, DRY, `logit_bias`, tokens forbidden
    by `min_tokens` or a constraint. They become probabilities by `temperature`, of which `min_p`, then `top_k`, then
    `top_p` keep the likeliest: of equals at the edge, `top_k` keeps those with the lower ids, `top_p` all.

    Raises:
        UsageError: a value is out of range.
    """

    temperature: float = DEFAULT_TEMPERATURE  # 0 takes the likeliest token always
    top_k: int = 0  # 0: all tokens
    top_p: float = 1.0  # the fewest tokens that together are at least so likely
    min_p: float = 0.0  # tokens at least so likely, as a share of the likeliest token's probability

    repetition_penalty: float = 1.0  # divides positive, multiplies negative scores of tokens in prompt or output
    presence_penalty: float = 0.0  # off the score of each token in the output
    frequency_penalty: float = 0.0  # the same, as often as the token is in the output
    dry_multiplier: float = 0.0  # 0: no DRY
    dry_base: float = 1.75
    dry_allowed_length: int = 2  # tokens: a repeated sequence so long is not to go on
    dry_range: int = 0  # how many of the last tokens are searched; 0: all
    dry_sequence_breakers: Sequence[str | int] = (
        DEFAULT_BREAKERS  # repetition is counted from them on; texts or token ids
    )
    logit_bias: Mapping[int, float] = field(default_factory=dict)  # token id: from -100 to 100, added to its score

    stop: Sequence[str] = ()  # the text ends before the first of these
    stop_token_ids: Sequence[int] = ()  # besides the model's own
    ignore_eos: bool = False  # the model's own stop tokens do not end the answer
    max_tokens: int | None = None  # None: until the context is full
    min_tokens: int = 0  # no stop token before so many

    n: int = 1
    logprobs: int | None = None  # how many likeliest tokens to tell with each token; None: no logprobs
    prompt_logprobs: int | None = None  # the same for each token of the prompt
    seed: int = field(default_factory=lambda: secrets.randbits(31))

    def __post_init__(self) -> None:
        for name, (words, low, high) in _RANGES.items():
            value = getattr(self, name)
            # Written so that a NaN is refused.
            if value is not None and not low <= value <= high:
                bounds = f"be at least {low}" if value < low and high >= _INT32 else f"lie between {low} and {high}"
                raise UsageError(f"The {words} is {value}, but must {bounds}.")
        if self.top_p == 0:
            raise UsageError("The top_p is 0, but must be above 0; top_k 1 takes the likeliest token only.")
        if self.max_tokens is not None and self.min_tokens > self.max_tokens:
            raise UsageError(
                f"The least number of tokens to generate is {self.min_tokens}, but must not be above the most, "
                f"{self.max_tokens}."
            )
        # A lone string would be taken for its letters.
        for name in ("stop", "dry_sequence_breakers"):
            value = getattr(self, name)
            texts = (value,) if isinstance(value, str) else tuple(value)
            if "" in texts:
                raise UsageError(f"The list {name} holds an empty text, but each must have at least one character.")
            object.__setattr__(self, name, texts)
        object.__setattr__(self, "stop_token_ids", tuple(self.stop_token_ids))
        for token, bias in self.logit_bias.items():
            if not -100 <= bias <= 100:
                raise UsageError(f"The logit_bias of token {token} is {bias}, but must lie between -100 and 100.")
        ids = [*self.logit_bias, *self.stop_token_ids, *(b for b in self.dry_sequence_breakers if isinstance(b, int))]
        for token in ids:
            if not 0 <= token <= _INT32:
                raise UsageError(f"The token id {token} is none; it must be a whole number of the vocabulary.")

    @property
    def counts_tokens(self) -> bool:
        """Whether a penalty counts the tokens of the sequence."""
        return self.repetition_penalty != 1 or self.presence_penalty != 0 or self.frequency_penalty != 0

    @property
    def divisor(self) -> float:
        """The temperature as scores are divided by it: 0, or not so near to 0 that float32 could overflow.

        That near only the likeliest token is drawn anyway.
        """
        return max(self.temperature, _SMALLEST_TEMPERATURE) if self.temperature > 0 else 0.0

    def stop_ids(self, model_stop_ids: frozenset[int]) -> frozenset[int]:
        """All tokens that end an answer of a model with these stop tokens."""
        return frozenset(self.stop_token_ids) | (frozenset() if self.ignore_eos else model_stop_ids)

    def of_choice(self, choice: int) -> SamplingParams:
        """The parameters of one of the `n` answers: the same with a seed of its own, the first one's being `seed`."""
        return replace(self, n=1, seed=seed_of_choice(self.seed, choice))
