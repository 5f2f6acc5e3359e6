"""The cache gives back what was stored, however often it grows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from mistralet.model import KVCache
from support.random_models import TEXT

CONFIG = replace(TEXT, max_position_embeddings=2000)
LAYERS, KV_HEADS, HEAD_DIM = CONFIG.num_hidden_layers, CONFIG.num_key_value_heads, CONFIG.head_dim


def new_cache(dtype: torch.dtype = torch.float32) -> KVCache:
    return KVCache(CONFIG, dtype, torch.device("cpu"))


def rows(tokens: int, layer: int) -> tuple[Tensor, Tensor]:
    """Keys and values of a layer's tokens, `[tokens, kv_heads, head_dim]` each."""
    generator = torch.Generator().manual_seed(layer)
    shape = (2000, KV_HEADS, HEAD_DIM)
    keys, values = torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
    return keys[:tokens], values[:tokens]


def feed(cache: KVCache, end: int) -> None:
    """Add the tokens up to `end`, as the model does: all layers, then the length."""
    cache.reserve(end)
    for layer in range(LAYERS):
        keys, values = (stored[cache.length :] for stored in rows(end, layer))
        cache.store(layer, cache.length, keys, values)
    cache.length = end


def content(cache: KVCache, layer: int) -> tuple[Tensor, Tensor]:
    """What a forward pass would attend to, `[tokens, kv_heads, head_dim]` each."""
    nothing = torch.empty(0, KV_HEADS, HEAD_DIM)
    keys, values = cache.store(layer, cache.length, nothing, nothing)
    return keys.transpose(0, 1), values.transpose(0, 1)


def assert_holds(cache: KVCache, tokens: int) -> None:
    assert cache.length == tokens
    for layer in range(LAYERS):
        for stored, expected in zip(content(cache, layer), rows(tokens, layer), strict=True):
            assert torch.equal(stored, expected)


def test_a_new_cache_is_empty_and_takes_no_memory() -> None:
    cache = new_cache()
    assert (cache.length, cache.nbytes) == (0, 0)


@pytest.mark.parametrize("steps", [[1], [1, 2, 3], [255, 256, 257], [300, 301, 900, 1999, 2000], [2000]])
def test_growth_keeps_what_is_stored(steps: list[int]) -> None:
    cache = new_cache()
    for end in steps:
        feed(cache, end)
        assert_holds(cache, end)


def test_storing_gives_the_layers_context_by_head() -> None:
    cache = new_cache()
    feed(cache, 3)
    cache.reserve(5)
    keys, values = rows(5, layer=1)
    stored_keys, stored_values = cache.store(1, 3, keys[3:], values[3:])
    assert torch.equal(stored_keys, keys.transpose(0, 1))
    assert torch.equal(stored_values, values.transpose(0, 1))


def test_memory_grows_by_doubling_up_to_the_models_context() -> None:
    cache = new_cache()
    sizes = []
    for end in range(1, 2001):
        cache.reserve(end)
        sizes.append(cache.nbytes)
    token = CONFIG.kv_bytes_per_token(bytes_per_value=4)
    assert sorted({size // token for size in sizes}) == [256, 512, 1024, 2000]


def test_room_is_taken_once_and_kept() -> None:
    cache = new_cache()
    cache.reserve(1000)
    before = cache.nbytes
    cache.reserve(10)
    assert cache.nbytes == before == 1000 * CONFIG.kv_bytes_per_token(bytes_per_value=4)


def test_room_beyond_the_models_context_can_be_had() -> None:
    cache = new_cache()
    feed(cache, 1500)
    cache.reserve(2500)
    assert cache.nbytes == 2500 * CONFIG.kv_bytes_per_token(bytes_per_value=4)
    assert_holds(cache, 1500)


def test_truncation_forgets_the_end_and_the_rest_can_be_written_again() -> None:
    cache = new_cache()
    feed(cache, 300)
    cache.truncate(200)
    assert_holds(cache, 200)
    feed(cache, 600)
    assert_holds(cache, 600)


def test_truncation_to_more_than_there_is_changes_nothing() -> None:
    cache = new_cache()
    feed(cache, 10)
    cache.truncate(11)
    assert_holds(cache, 10)
    cache.truncate(0)
    assert_holds(cache, 0)


def test_values_are_kept_in_the_caches_own_type() -> None:
    cache = new_cache(torch.float16)
    feed(cache, 4)
    keys, _ = content(cache, layer=0)
    assert keys.dtype == torch.float16
    assert torch.equal(keys, rows(4, layer=0)[0].half())
    assert cache.nbytes == 256 * CONFIG.kv_bytes_per_token()
