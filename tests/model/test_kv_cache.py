"""The cache grows without losing anything, up to the model's context."""

from __future__ import annotations

import torch
from torch import Tensor

from mistralet.model import KVCache
from support.models import CONFIG


def keys_of(first: int, count: int) -> Tensor:
    """Distinct values for the tokens from `first` on, `[tokens, kv_heads, head_dim]`."""
    shape = (CONFIG.num_key_value_heads, CONFIG.head_dim)
    return torch.arange(first, first + count, dtype=torch.float32).view(-1, 1, 1).expand(-1, *shape)


def new_cache() -> KVCache:
    return KVCache(CONFIG, torch.float32, torch.device("cpu"))


def test_what_is_stored_survives_growth() -> None:
    cache, length = new_cache(), 0
    for count in (3, 1, 300, 700):
        cache.reserve(length + count)
        keys, values = cache.store(0, length, keys_of(length, count), -keys_of(length, count))
        length = cache.length = length + count
        assert keys.shape == (CONFIG.num_key_value_heads, length, CONFIG.head_dim)
        assert torch.equal(keys[0, :, 0], torch.arange(length, dtype=torch.float32))
        assert torch.equal(values, -keys)


def test_truncation_forgets_the_end() -> None:
    cache = new_cache()
    cache.reserve(10)
    cache.store(0, 0, keys_of(0, 10), keys_of(0, 10))
    cache.length = 10
    cache.truncate(4)
    keys, _ = cache.store(0, 4, keys_of(50, 1), keys_of(50, 1))
    assert keys[0, :, 0].tolist() == [0, 1, 2, 3, 50]
    cache.truncate(100)
    assert cache.length == 4


def test_memory_is_taken_as_the_sequence_grows_and_not_before() -> None:
    cache = new_cache()
    assert cache.nbytes == 0
    cache.reserve(1)
    assert 0 < cache.nbytes < CONFIG.kv_bytes_per_token(4) * 1024
    cache.reserve(CONFIG.max_position_embeddings)
    assert cache.nbytes == CONFIG.kv_bytes_per_token(4) * CONFIG.max_position_embeddings
