"""Any parameters of sampling, for hypothesis, and masks of tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from mistralet.engine import SamplingParams


def bits(tokens: set[int], vocab_size: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    words = np.zeros(-(-vocab_size // 32), dtype=np.uint32)
    for token in tokens:
        words[token // 32] |= np.uint32(1 << token % 32)
    return words.view(np.int32)


@st.composite
def parameters(draw: st.DrawFn) -> SamplingParams:
    number = lambda low, high: st.floats(low, high, width=32)  # noqa: E731
    changes = {
        "temperature": number(0.125, 4),
        "top_k": st.integers(0, 60),
        "top_p": number(0.0625, 1),
        "min_p": number(0, 0.5),
        "repetition_penalty": number(0.5, 2),
        "presence_penalty": number(-2, 2),
        "frequency_penalty": number(-2, 2),
        "dry_multiplier": number(0, 2),
        "dry_base": number(1, 2),
        "dry_allowed_length": st.integers(1, 4),
        "dry_range": st.integers(0, 30),
        "logit_bias": st.dictionaries(st.integers(0, 400), number(-5, 5), max_size=5),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(changes)), max_size=5))
    return SamplingParams(**{"temperature": 1.0, "seed": 0} | {name: draw(changes[name]) for name in sorted(chosen)})
