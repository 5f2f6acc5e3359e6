"""The cache as memory: how much it takes, and the copy of a block."""

from __future__ import annotations

import pytest
import torch

from mistralet.config import KVType
from mistralet.model import ForwardBatch, KVCache
from mistralet.ops import BLOCK_SIZE
from support.random_models import TEXT as CONFIG


def new_cache(kv_type: KVType, blocks: int) -> KVCache:
    return KVCache(CONFIG, kv_type, torch.device("cpu"), blocks)


def test_a_cache_has_the_blocks_it_is_asked_for() -> None:
    cache = new_cache(KVType.FLOAT16, 10)
    assert cache.blocks == 10
    assert cache.nbytes == 10 * BLOCK_SIZE * CONFIG.kv_bytes_per_token()


def test_an_8_bit_cache_has_a_scale_for_each_head_and_token() -> None:
    heads = 2 * CONFIG.num_hidden_layers * CONFIG.num_key_value_heads
    assert new_cache(KVType.INT8, 10).nbytes == 10 * BLOCK_SIZE * heads * (CONFIG.head_dim + 4)


@pytest.mark.parametrize("kv_type", [KVType.FLOAT32, KVType.FLOAT16, KVType.INT8])
def test_a_copied_block_is_the_same_in_every_layer_and_no_other_changes(kv_type: KVType) -> None:
    cache = new_cache(kv_type, 4)
    generator = torch.Generator().manual_seed(0)
    tensors = [tensor for layer in cache.layers for tensor in layer.tensors]
    for tensor in tensors:
        tensor.copy_(torch.randint(-100, 100, tensor.shape, generator=generator))
    before = [tensor.clone() for tensor in tensors]
    cache.copy_block(1, 3)
    for now, then in zip(tensors, before, strict=True):
        assert torch.equal(now[3], then[1])
        assert torch.equal(now[:3], then[:3])


def test_a_sequence_alone_takes_the_blocks_in_order() -> None:
    batch = ForwardBatch.alone([7, 8, 9], 62)
    assert batch.input_ids.tolist() == [7, 8, 9]
    assert batch.places.positions.tolist() == [62, 63, 64]
    assert batch.places.slots.tolist() == [62, 63, 64]
    assert batch.places.spans[0].blocks.tolist() == [0, 1, 2]
