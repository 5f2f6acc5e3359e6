"""The cache has the size it was asked for, takes memory as it is written, and refuses what has no room in it."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest
import torch

from mistralet.config import KVType
from mistralet.errors import UsageError
from mistralet.model import ForwardBatch, KVCache
from mistralet.ops import BLOCK_SIZE
from support.random_models import TEXT

CONFIG = replace(TEXT, head_dim=32, max_position_embeddings=2000)
CPU = torch.device("cpu")


@pytest.mark.parametrize("kv_type", list(KVType))
def test_a_block_takes_what_the_configuration_says(kv_type: KVType) -> None:
    cache = KVCache(CONFIG, kv_type, CPU, 10)
    assert cache.nbytes == 10 * BLOCK_SIZE * CONFIG.kv_bytes_per_token(kv_type)


@pytest.mark.parametrize(
    ("kv_type", "nbytes"),
    [("float32", 1024), ("float16", 512), ("bfloat16", 512), ("int8", 264), ("int4", 160), ("fp8", 264)],
)
def test_the_bytes_of_a_head_of_128(kv_type: str, nbytes: int) -> None:
    assert KVType(kv_type).token_bytes(128) == nbytes


def test_heads_that_int4_cannot_take_are_refused() -> None:
    assert not KVType.INT4.fits(48)
    with pytest.raises(UsageError, match="Heads of 48 features do not fit an int4 cache"):
        KVCache(replace(TEXT, head_dim=48), KVType.INT4, CPU, 1)


def test_blocks_take_memory_only_once_they_are_written() -> None:
    before = psutil.Process().memory_info().rss
    cache = KVCache(CONFIG, KVType.FLOAT32, CPU, (1 << 30) // (BLOCK_SIZE * CONFIG.kv_bytes_per_token(KVType.FLOAT32)))
    assert cache.nbytes > 1 << 29
    assert psutil.Process().memory_info().rss - before < 1 << 26


@pytest.mark.parametrize("kv_type", list(KVType))
def test_a_copied_block_is_the_same_in_every_layer_and_no_other_changes(kv_type: KVType) -> None:
    cache = KVCache(CONFIG, kv_type, CPU, 4)
    generator = torch.Generator().manual_seed(0)
    tensors = [tensor for layer in cache.layers for tensor in layer.tensors]
    for tensor in tensors:
        tensor.copy_(torch.randint(0, 100, tensor.shape, generator=generator))
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
