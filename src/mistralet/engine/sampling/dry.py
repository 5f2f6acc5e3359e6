"""DRY ("don't repeat yourself"): makes it ever less likely that the text goes on as it did before.

Defined by its author in text-generation-webui (pull request 5677, 2024) and kept by llama.cpp, koboldcpp and others: if
the last `length` tokens stood somewhere before, the token that followed them there loses
`multiplier * base ** (length - allowed_length)` of its score, for its greatest `length`, if that is at least
`allowed_length`. A sequence breaker ends the matching and is never penalised.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import cast

from mistralet.engine.sampling.params import SamplingParams
from mistralet.tokenizer import Tokenizer

# So large that nothing else is left to choose, and yet finite: the token can be chosen if it is the only one.
_LARGEST_PENALTY = 1e30


def sequence_breakers(params: SamplingParams, tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens that break a sequence for a request: those given as ids, and all whose text holds one given as text.

    Takes a pass over the vocabulary the first time; empty if the request does not use DRY.
    """
    if params.dry_multiplier == 0:
        return frozenset()
    texts = tuple(breaker for breaker in params.dry_sequence_breakers if isinstance(breaker, str))
    ids = (breaker for breaker in params.dry_sequence_breakers if isinstance(breaker, int))
    return _tokens_holding(texts, cast(Hashable, tokenizer)).union(ids)


@lru_cache(maxsize=16)
def _tokens_holding(texts: tuple[str, ...], tokenizer: Tokenizer) -> frozenset[int]:
    parts = [text.encode() for text in texts]
    pieces = ((token, tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size))
    return frozenset(token for token, piece in pieces if any(part in piece for part in parts))


def repeat_penalties(
    tokens: Sequence[int], params: SamplingParams, is_breaker: Callable[[int], bool]
) -> dict[int, float]:
    """What each token loses that would go on with a repeated sequence; `tokens` are those in DRY's range."""
    last_first = tokens[::-1]
    unbroken = next((place for place, token in enumerate(last_first) if is_breaker(token)), len(last_first))
    longest: dict[int, int] = {}
    for place, match in enumerate(matches_with_beginning(last_first)):
        length = min(match, unbroken)
        if place > 0 and length >= params.dry_allowed_length:
            follower = last_first[place - 1]
            longest[follower] = max(length, longest.get(follower, 0))
    return {
        token: _penalty(params, length - params.dry_allowed_length)
        for token, length in longest.items()
        if not is_breaker(token)
    }


def _penalty(params: SamplingParams, excess: int) -> float:
    try:
        return min(params.dry_multiplier * float(params.dry_base) ** excess, _LARGEST_PENALTY)
    except OverflowError:
        return _LARGEST_PENALTY


def matches_with_beginning(text: Sequence[int]) -> list[int]:
    """For each place (but 0) how many tokens from there on are those of the beginning: the Z algorithm, linear in time.

    Gusfield, "Algorithms on Strings, Trees, and Sequences" (1997), 1.4.
    """
    matches = [0] * len(text)
    left = right = 0
    for place in range(1, len(text)):
        length = min(right - place, matches[place - left]) if place < right else 0
        while place + length < len(text) and text[length] == text[place + length]:
            length += 1
        if place + length > right:
            left, right = place, place + length
        matches[place] = length
    return matches
