"""vLLM's rule: the output ends in a pattern of tokens that repeats exactly, without anything in between."""

from __future__ import annotations

import numpy as np

from mistralet.engine.repetition.params import RepetitionParams


class PatternRule:
    """Says after each token whether the last ones are `min_count` equal patterns of an allowed size.

    Counts for each size how many tokens in a row equal the token that many places before. A size p repeats c times as
    soon as p * (c - 1) do.
    """

    def __init__(self, params: RepetitionParams) -> None:
        self._sizes = np.arange(max(params.min_pattern_size, 1), params.max_pattern_size + 1)
        self._needed = self._sizes * (params.min_count - 1)
        self._runs = np.zeros_like(self._sizes)
        self._recent = np.full(8 * params.max_pattern_size + 1024, -1)
        self._end = params.max_pattern_size  # so many places before the first token hold none

    def push(self, token_id: int) -> int:
        """The size of the smallest pattern that repeats now; 0 if none does."""
        if self._end == len(self._recent):
            kept = int(self._sizes[-1])
            self._recent[:kept] = self._recent[-kept:]
            self._end = kept
        self._recent[self._end] = token_id
        self._runs = np.where(self._recent[self._end - self._sizes] == token_id, self._runs + 1, 0)
        self._end += 1
        found = self._runs >= self._needed
        return int(self._sizes[found.argmax()]) if found.any() else 0

    def fork(self) -> PatternRule:
        """A copy that goes its own way."""
        twin = PatternRule.__new__(PatternRule)
        twin.__dict__.update(self.__dict__)
        twin._recent = self._recent.copy()
        return twin
