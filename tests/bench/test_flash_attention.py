"""Which way of attention the peer runs with."""

from __future__ import annotations

import pytest

from bench.flash_attention import choice_of
from bench.harness import Result


def result(prefill: float, decode: float) -> Result:
    return Result(1, 1.0, [prefill], [decode], 1)


@pytest.mark.parametrize(("with_it", "expected"), [(20.0, True), (5.0, False)])
def test_the_faster_way_is_taken(with_it: float, expected: bool) -> None:
    results = {True: [result(100, with_it), result(90, 1)], False: [result(100, 10), result(100, 9)]}
    choice = choice_of(results, "the stand-in")
    assert choice.flash_attention is expected
    assert choice.note.startswith(f"llama.cpp runs {'with' if expected else 'without'} flash attention")
    assert "on the stand-in: it reads 512 tokens at 100.0 tokens/s with it and 100.0 without" in choice.note
    assert choice.note.endswith(f"answers at {with_it:.1f} and 10.0.")


def test_reading_counts_as_well() -> None:
    assert choice_of({True: [result(50, 10.1)], False: [result(100, 10)]}, "it").flash_attention is False
