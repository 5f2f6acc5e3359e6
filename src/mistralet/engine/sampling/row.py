"""`SamplerRow`: one place of one sequence at which a token is to be chosen."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mistralet.engine.sampling.params import SamplingParams

# 32 tokens in a word, the lowest bit first, as llguidance has them; words lie side by side.
TokenBits = NDArray[np.int32]


@dataclass(frozen=True)
class ScoreChanges:
    """What is done to a row's scores before a token is chosen; empty arrays where there is nothing to do."""

    seen: array[int]  # distinct tokens that penalties count
    seen_counts: array[int]  # how often each is in the output
    biased: array[int]
    biases: array[float]
    barred: array[int]  # tokens that may come only if nothing else may
    tokens: array[int]  # prompt and output in DRY's range
    breakers: TokenBits | None
    allowed: TokenBits | None


class SamplerRow:
    """A sequence for the sampler; make one for a request, and give it in every step.

    `allowed` and `bias` are of the next token only: set them before a step in which they are wanted.
    """

    def __init__(
        self,
        params: SamplingParams,
        prompt_ids: Sequence[int] = (),
        output_ids: Sequence[int] = (),
        stop_ids: frozenset[int] = frozenset(),
        breakers: frozenset[int] = frozenset(),
    ) -> None:
        """
        Args:
            prompt_ids, output_ids: the sequence. The output is the engine's own list, to which it adds what it accepts.
            stop_ids: the model's stop tokens, for `min_tokens`.
            breakers: `sequence_breakers` of the request, for DRY.
        """
        self.params = params
        self.allowed: TokenBits | None = None
        self.bias: Mapping[int, float] | None = None
        self.packed_plain: bytes | None = None  # the row without changes as the kernel reads it, once it has
        self._sequence = _Sequence(params, prompt_ids, output_ids)
        self._output_ids = output_ids
        self._drafted: tuple[int, ...] = ()
        self._static_biases = _Biases(params.logit_bias)
        self._stop_ids = array("i", sorted(params.stop_ids(stop_ids)))
        self._breakers = _token_bits(breakers) if breakers else None
        self._changes_always = params.counts_tokens or bool(params.logit_bias) or params.dry_multiplier > 0

    @property
    def index(self) -> int:
        """Which of the output's tokens is to be chosen."""
        return len(self._output_ids) + len(self._drafted)

    def after(self, drafted: Sequence[int]) -> SamplerRow:
        """The row of the same sequence after some tokens that are not accepted yet."""
        row = SamplerRow.__new__(SamplerRow)
        row.__dict__.update(self.__dict__, _drafted=self._drafted + tuple(drafted), allowed=None, bias=None)
        return row

    def changes_at(self, index: int) -> bool:
        """Whether anything is done to the scores before the output's token of that index is chosen."""
        return bool(self._changes_always or self.bias or self.allowed is not None or index < self.params.min_tokens)

    def changes(self, index: int) -> ScoreChanges:
        """What is done to the scores before the output's token of that index is chosen."""
        too_early = index < self.params.min_tokens
        seen = self._sequence.seen(self._drafted)
        biases = self._static_biases
        if self.bias:
            biases = _Biases(self.params.logit_bias, self.bias)
        return ScoreChanges(
            seen=seen.ids,
            seen_counts=seen.counts,
            biased=biases.ids,
            biases=biases.values,
            barred=self._stop_ids if too_early else array("i"),
            tokens=self._sequence.repeatable(self._drafted),
            breakers=self._breakers,
            allowed=self.allowed,
        )


class _Biases:
    """What is added to scores; a token of several mappings gets all of it."""

    def __init__(self, *mappings: Mapping[int, float]) -> None:
        self.ids = array("i", (token for mapping in mappings for token in mapping))
        self.values = array("f", (bias for mapping in mappings for bias in mapping.values()))


class _SeenTokens:
    """The distinct tokens of a sequence, and how often each is in the output."""

    def __init__(self, ids: array[int], counts: array[int], places: dict[int, int]) -> None:
        self.ids = ids
        self.counts = counts
        self._places = places

    def add(self, tokens: Iterable[int], times: int) -> None:
        for token in tokens:
            place = self._places.setdefault(token, len(self.ids))
            if place == len(self.ids):
                self.ids.append(token)
                self.counts.append(0)
            self.counts[place] += times

    def copy(self) -> _SeenTokens:
        return _SeenTokens(self.ids[:], self.counts[:], dict(self._places))


class _Sequence:
    """A prompt and a growing output, in the forms that penalties want, which follow the output as it grows."""

    def __init__(self, params: SamplingParams, prompt_ids: Sequence[int], output_ids: Sequence[int]) -> None:
        self.params = params
        self.prompt_ids = prompt_ids
        self.output_ids = output_ids
        self._restart()

    def _restart(self) -> None:
        self._followed = 0  # tokens of the output that are in the forms below
        self._seen = _SeenTokens(array("i"), array("i"), {})
        if self.params.repetition_penalty != 1:
            self._seen.add(self.prompt_ids, 0)
        self._tokens = array("i", self.prompt_ids if self.params.dry_multiplier > 0 else ())

    def _follow(self) -> None:
        if len(self.output_ids) < self._followed:
            self._restart()
        new = self.output_ids[self._followed :]
        self._followed += len(new)
        if self.params.counts_tokens:
            self._seen.add(new, 1)
        if self.params.dry_multiplier > 0:
            self._tokens.extend(new)

    def seen(self, drafted: Sequence[int]) -> _SeenTokens:
        self._follow()
        if not (drafted and self.params.counts_tokens):
            return self._seen
        seen = self._seen.copy()
        seen.add(drafted, 1)
        return seen

    def repeatable(self, drafted: Sequence[int]) -> array[int]:
        self._follow()
        if self.params.dry_multiplier == 0:
            return self._tokens
        tokens = self._tokens + array("i", drafted) if drafted else self._tokens
        return tokens[-self.params.dry_range :]


def _token_bits(tokens: Iterable[int]) -> TokenBits:
    ids = np.fromiter(tokens, dtype=np.int64)
    bits = np.zeros((int(ids.max()) // 32 + 1) * 32, dtype=bool)
    bits[ids] = True
    return np.packbits(bits, bitorder="little").view("<i4").astype(np.int32)


def has_bit(bits: TokenBits, token: int) -> bool:
    """Whether a token is among `bits`."""
    return token // 32 < len(bits) and bool(int(bits[token // 32]) >> token % 32 & 1)
