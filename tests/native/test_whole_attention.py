"""Attention in whole numbers (the vision encoder's): near float32, and a row never depends on its company."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mistralet.config import KVType
from mistralet.native import kernels
from mistralet.ops import LayerCache, PagedBatch, attend, blocks_for, rotate_and_store

if kernels is None:
    pytest.skip("the native kernels were not built", allow_module_level=True)

SETS = kernels.instruction_sets()


def randn(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def attend_all(query: Tensor, keys: Tensor, values: Tensor, lengths: list[int]) -> Tensor:
    """Segments in which everything sees everything, over a half-precision cache whose unused places hold no numbers."""
    _, kv_heads, head_dim = keys.shape
    cache = LayerCache.empty(sum(map(blocks_for, lengths)), kv_heads, head_dim, KVType.FLOAT16)
    for tensor in cache.tensors:
        tensor.fill_(float("nan"))
    batch = PagedBatch.of_segments(lengths)
    no_turn = torch.ones(len(keys), head_dim // 2, dtype=torch.complex64)
    rotate_and_store(torch.zeros_like(query), keys, values, no_turn, cache, batch)
    return attend(query, cache, batch)


def expected_attention(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    group = query.shape[1] // keys.shape[1]
    q, k, v = query.double(), keys.double().repeat_interleave(group, 1), values.double().repeat_interleave(group, 1)
    weights = (torch.einsum("qhd,khd->hqk", q, k) / query.shape[2] ** 0.5).softmax(-1)
    return torch.einsum("hqk,khd->qhd", weights, v)


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("length", [1, 31, 32, 33, 64, 65, 97, 300])
@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(2, 2, 64), (4, 2, 16), (1, 1, 48), (1, 1, 256)])
def test_it_is_the_softmax_of_the_products(
    heads: int, kv_heads: int, head_dim: int, length: int, instruction_set: str
) -> None:
    kernels.configure(2, instruction_set)
    query, keys = randn(length, heads, head_dim, seed=1), randn(length, kv_heads, head_dim, seed=2)
    values = randn(length, kv_heads, head_dim, seed=3)
    actual = attend_all(query, keys, values, [length])
    assert (actual - expected_attention(query, keys, values)).abs().max() < 3e-3


@pytest.mark.parametrize("scale", [0.1, 3.0, 30.0])
def test_flat_and_sharp_attention_are_as_exact(scale: float) -> None:
    """From weights that are all alike to rows that see one token only."""
    query, keys, values = (randn(700, 2, 64, seed=seed) for seed in (1, 2, 3))
    query *= scale
    expected = expected_attention(query, keys, values)
    actual = attend_all(query, keys, values, [700])
    assert (actual - expected).norm() / expected.norm() < 5e-3


def test_a_token_that_draws_all_attention_leaves_the_others_their_weight() -> None:
    """A thousand tokens weigh a thousandth of one each: 17 of 16,383 in its block, and all that they have elsewhere."""
    query, keys, values = torch.ones(1000, 1, 16), torch.zeros(1000, 1, 16), randn(1000, 1, 16, seed=3) + 1
    keys[500] = 6.9 / 4
    values[500] = -30
    expected = expected_attention(query, keys, values)
    assert (attend_all(query, keys, values, [1000]) / expected - 1).abs().max() < 2e-3


def test_zeros_attend_evenly() -> None:
    zeros, values = torch.zeros(70, 1, 32), randn(70, 1, 32, seed=3)
    assert torch.allclose(attend_all(zeros, zeros, values, [70]), values.mean(0).expand(70, 1, 32), atol=1e-3)
    assert torch.equal(attend_all(zeros, zeros, zeros, [70]), zeros)


@pytest.mark.parametrize("instruction_set", SETS[1:])
@pytest.mark.parametrize("head_dim", [48, 64])
def test_every_instruction_set_gives_the_same_bits(head_dim: int, instruction_set: str) -> None:
    lengths = [300, 20]
    parts = [3 * randn(sum(lengths), 2, head_dim, seed=seed) for seed in (1, 2, 3)]
    expected = attend_all(parts[0], parts[1], parts[2], lengths)
    kernels.configure(2, instruction_set)
    assert torch.equal(attend_all(parts[0], parts[1], parts[2], lengths), expected)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(lengths=st.lists(st.integers(1, 600), min_size=1, max_size=3), data=st.data(), threads=st.integers(1, 3))
def test_an_image_does_not_depend_on_its_company(lengths: list[int], data: st.DataObject, threads: int) -> None:
    parts = [randn(sum(lengths), 2, 16, seed=seed) for seed in (1, 2, 3)]
    kernels.configure(threads, SETS[0])
    together = attend_all(parts[0], parts[1], parts[2], lengths).split(lengths)
    kernels.configure(1, SETS[0])
    index = data.draw(st.integers(0, len(lengths) - 1))
    query, keys, values = (part.split(lengths)[index] for part in parts)
    assert torch.equal(together[index], attend_all(query, keys, values, [lengths[index]]))
