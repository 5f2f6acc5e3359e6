"""The far end of a context: the figures are about what was asked for, and nonsense is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from rich.console import Console

from bench import long_context
from bench.long_context import Measured, measure, table
from bench.progress import Steps
from mistralet.config import KVType
from mistralet.errors import UsageError
from mistralet.model import KVCache
from support.random_models import TEXT


def test_tokens_are_decoded_after_a_cache_that_is_full(tiny_path: Path) -> None:
    with Steps() as steps:
        measured = measure(tiny_path, KVType.INT4, context=96, tokens=1, steps=steps)
    assert measured.cache_bytes == 96 * 30 * 3 * 80  # layers, heads, bytes of a head of 64
    assert measured.token_bytes > measured.cache_bytes
    assert measured.token_seconds > 0


def test_every_block_is_filled_with_numbers_of_its_layers_own() -> None:
    cache = KVCache(TEXT, KVType.FLOAT32, torch.device("cpu"), 70)
    long_context._fill(cache)
    first, second = (layer.keys for layer in cache.layers[:2])
    assert first.isfinite().all()
    assert first.std() == pytest.approx(1, abs=0.05)
    assert torch.equal(first[64:], first[:6])
    assert not torch.equal(first, second)


def test_a_context_that_the_model_has_not_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # the command sets it
    with pytest.raises(UsageError, match=r"--context is 9000, but must be from 15 to 8192"):
        long_context.long_context(tiny=True, context=9000, tokens=8, memory="24GB", keep=tmp_path)


def test_the_table_sets_figures_beside_their_limits() -> None:
    measured = Measured(6_710_886_400, 21 * 10**9, 5.0, 2.0, 20 * 10**9)
    console = Console(width=120)
    with console.capture() as captured:
        console.print(table("m.gguf", KVType.INT4, 131_072, measured, limit=25.0, allowed=24 * 10**9))
    text = captured.get()
    assert "21.00 GB (88% of 24.00 GB)" in text
    assert "0.50 tokens/s" in text
    assert "10.0 GB (40% of the 25.0 GB the machine can)" in text
