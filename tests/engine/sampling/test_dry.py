"""DRY: what would go on with a repeated sequence loses score."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mistralet.engine import SamplingParams
from mistralet.engine.sampling import Sampler, SamplerRow, sequence_breakers
from mistralet.engine.sampling.dry import matches_with_beginning
from mistralet.tokenizer import BpeTokenizer
from support.plain_sampling import plain_scores


@given(st.lists(st.integers(0, 2), max_size=40))
def test_matches_with_the_beginning_are_found(text: list[int]) -> None:
    for place, length in list(enumerate(matches_with_beginning(text)))[1:]:
        assert text[:length] == text[place : place + length]
        assert place + length == len(text) or text[length] != text[place + length]


@settings(deadline=None, max_examples=60)
@given(
    tokens=st.lists(st.integers(0, 3), max_size=40),
    length=st.integers(1, 4),
    reach=st.integers(0, 45),
    breakers=st.frozensets(st.integers(0, 3), max_size=2),
    use_native=st.booleans(),
)
def test_repetition_is_penalised_as_defined(
    tokens: list[int], length: int, reach: int, breakers: frozenset[int], use_native: bool
) -> None:
    scores = [0.4, 0.3, 0.2, 0.1]
    params = SamplingParams(
        temperature=0, dry_multiplier=0.15, dry_base=1.3, dry_allowed_length=length, dry_range=reach
    )
    expected = plain_scores(scores, params, tokens[:5], tokens[5:], breakers)
    row = SamplerRow(params, tokens[:5], tokens[5:], breakers=breakers)
    token = Sampler(use_native)(torch.tensor([scores]), [row])[0].token
    assert expected[token] >= max(expected) - 1e-5


@pytest.mark.parametrize("use_native", [True, False])
def test_the_penalty_of_a_long_loop_is_finite_and_found_in_one_pass(use_native: bool) -> None:
    loop = [5] * 20_000
    row = SamplerRow(SamplingParams(temperature=0, dry_multiplier=1, dry_base=100), loop)
    scores = torch.zeros(1, 8)
    scores[0, 5] = 100
    sampler = Sampler(use_native)
    assert sampler(scores.clone(), [row])[0].token == 0
    row.bias = {token: float("-inf") for token in range(8) if token != 5}
    assert sampler(scores.clone(), [row])[0].token == 5


def test_breakers_are_all_tokens_that_hold_the_text(tiny_tokenizer: BpeTokenizer) -> None:
    params = SamplingParams(dry_multiplier=1, dry_sequence_breakers=["\n", 7, "é"])
    breakers = sequence_breakers(params, tiny_tokenizer)
    assert {7, *tiny_tokenizer.encode("\n"), *tiny_tokenizer.encode("\n\n")} <= breakers
    assert breakers.isdisjoint(tiny_tokenizer.encode("Once upon a time"))
    assert all(b"\n" in piece or "é".encode() in piece for piece in map(tiny_tokenizer.token_bytes, breakers - {7}))
    assert len(breakers) > 20


def test_without_dry_there_are_no_breakers(tiny_tokenizer: BpeTokenizer) -> None:
    assert sequence_breakers(SamplingParams(), tiny_tokenizer) == frozenset()
