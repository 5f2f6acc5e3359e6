"""The cache keeps what was stored, however often it grows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mistralet.model import ForwardBatch, KVCache
from mistralet.ops import BLOCK_SIZE
from support.random_models import TEXT

CONFIG = replace(TEXT, max_position_embeddings=2000)
BLOCK_BYTES = BLOCK_SIZE * CONFIG.kv_bytes_per_token(bytes_per_value=4)


def new_cache(dtype: torch.dtype = torch.float32) -> KVCache:
    return KVCache(CONFIG, dtype, torch.device("cpu"))


def fill(cache: KVCache) -> list[torch.Tensor]:
    """Put random numbers everywhere; copies of what is then stored."""
    generator = torch.Generator().manual_seed(0)
    tensors = [tensor for layer in cache.layers for tensor in layer.tensors]
    for tensor in tensors:
        tensor.copy_(torch.randint(-100, 100, tensor.shape, generator=generator))
    return [tensor.clone() for tensor in tensors]


def test_a_new_cache_is_empty_and_takes_no_memory() -> None:
    cache = new_cache()
    assert (cache.blocks, cache.nbytes) == (0, 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int8])
def test_growth_keeps_what_is_stored(dtype: torch.dtype) -> None:
    cache = new_cache(dtype)
    cache.reserve(3)
    stored = fill(cache)
    cache.reserve(30)
    grown = [tensor for layer in cache.layers for tensor in layer.tensors]
    assert all(torch.equal(now[: len(then)], then) for now, then in zip(grown, stored, strict=True))


def test_memory_grows_by_doubling_up_to_the_models_context() -> None:
    cache = new_cache()
    sizes = []
    for blocks in range(1, 64):
        cache.reserve(blocks)
        sizes.append(cache.nbytes // BLOCK_BYTES)
    assert sorted(set(sizes)) == [8, 16, 32, 63]


def test_room_is_taken_once_and_kept() -> None:
    cache = new_cache()
    cache.reserve(40)
    cache.reserve(3)
    assert (cache.blocks, cache.nbytes) == (40, 40 * BLOCK_BYTES)


def test_room_beyond_the_models_context_can_be_had() -> None:
    cache = new_cache()
    cache.reserve(100)
    assert cache.blocks == 100


def test_an_8_bit_cache_has_a_scale_for_each_head_and_token() -> None:
    cache = new_cache(torch.int8)
    cache.reserve(10)
    scales = 2 * 4 * CONFIG.num_hidden_layers * CONFIG.num_key_value_heads
    assert cache.nbytes == 10 * BLOCK_SIZE * (CONFIG.kv_bytes_per_token(bytes_per_value=1) + scales)


def test_a_sequence_alone_makes_room_for_itself_and_takes_the_blocks_in_order() -> None:
    cache = new_cache()
    batch = ForwardBatch.alone([7, 8, 9], 62, cache)
    assert cache.blocks == 8
    assert batch.input_ids.tolist() == [7, 8, 9]
    assert batch.places.positions.tolist() == [62, 63, 64]
    assert batch.places.slots.tolist() == [62, 63, 64]
    assert batch.places.spans[0].blocks.tolist() == [0, 1, 2]
