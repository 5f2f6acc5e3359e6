"""An fp8 cache loses half a step of float8 and no more, whatever the range, and the CPU's kernels never see it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from mistralet import ops
from mistralet.config import KVType
from mistralet.ops import BLOCK_SIZE, LayerCache, PagedBatch, Span, rotate_and_store

TOKENS, HEADS, HEAD_DIM = 40, 2, 32
BLOCKS = torch.tensor([2, 0], dtype=torch.int32)
UNTURNED = torch.ones(TOKENS, HEAD_DIM // 2, dtype=torch.complex64)
BATCH = PagedBatch([Span(TOKENS, TOKENS, BLOCKS)])


def randn(seed: int) -> Tensor:
    return torch.randn(TOKENS, HEADS, HEAD_DIM, generator=torch.Generator().manual_seed(seed))


def filled(keys: Tensor, values: Tensor) -> LayerCache:
    cache = LayerCache.empty(3, HEADS, HEAD_DIM, KVType.FP8)
    for tensor in cache.tensors:  # what was never written is no number
        tensor.fill_(torch.nan if tensor.is_floating_point() else 0x7F)
    rotate_and_store(keys.clone(), keys, values, UNTURNED, cache, BATCH)
    return cache


def stored(cache: LayerCache) -> tuple[Tensor, Tensor]:
    """The keys and values that a cache holds, float64 `[tokens, heads, head_dim]`."""
    assert cache.key_scales is not None
    assert cache.value_scales is not None
    keys, values = (x[BLOCKS.long()].view(torch.float8_e4m3fn).double() for x in (cache.keys, cache.values))
    keys = keys.transpose(2, 3) * cache.key_scales[BLOCKS.long()].unsqueeze(-1)
    values = values * cache.value_scales[BLOCKS.long()].unsqueeze(-1)
    keys, values = (x.permute(0, 2, 1, 3).reshape(-1, HEADS, HEAD_DIM)[:TOKENS] for x in (keys, values))
    return keys, values


@pytest.mark.parametrize("size", [1.0, 1e-25, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_number_loses_half_a_step_of_float8(size: float, dtype: torch.dtype) -> None:
    keys, values = (size * randn(0)).to(dtype), (size * randn(1)).to(dtype)
    keys[3, 0, 5] *= 1000  # the others of its head become the smallest codes
    values[4] = 0
    for exact, actual in zip((keys.double(), values.double()), stored(filled(keys, values)), strict=True):
        smallest_step = exact.abs().amax(-1, keepdim=True) / 448 * 2**-9
        allowed = 1.0001 * torch.maximum(exact.abs() / 16, smallest_step / 2)
        assert ((actual - exact).abs() <= allowed).all()
        largest = exact.abs() == exact.abs().amax(-1, keepdim=True)
        torch.testing.assert_close(actual[largest], exact[largest], rtol=1e-6, atol=0)


def test_attention_is_that_of_the_stored_numbers() -> None:
    cache = filled(randn(0), randn(1))
    query = torch.randn(TOKENS, 2 * HEADS, HEAD_DIM, generator=torch.Generator().manual_seed(2))
    keys, values = (x.repeat_interleave(2, 1) for x in stored(cache))
    scores = torch.einsum("qhd,khd->hqk", query.double(), keys) * HEAD_DIM**-0.5
    scores = scores.masked_fill(torch.ones(TOKENS, TOKENS).tril() == 0, -torch.inf)
    expected = torch.einsum("hqk,khd->qhd", scores.softmax(-1), values).float()
    torch.testing.assert_close(ops.attend(query, cache, BATCH), expected, rtol=1e-5, atol=1e-5)
    last = PagedBatch([Span(1, TOKENS, BLOCKS)])
    torch.testing.assert_close(ops.attend(query[-1:], cache, last), expected[-1:], rtol=1e-5, atol=1e-5)


def test_the_kernels_of_the_cpu_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("paged", "attention", "blocks"):
        monkeypatch.setattr(f"mistralet.ops.{name}.kernels", SimpleNamespace())
    size = HEADS * HEAD_DIM
    weights = tuple(torch.randn(size, size, generator=torch.Generator().manual_seed(seed)) for seed in range(4))
    cache = filled(randn(0), randn(1))
    attended = ops.attention_block(randn(2).flatten(1), torch.ones(size), 1e-5, weights, UNTURNED, cache, BATCH)
    assert attended.isfinite().all()


def test_blocks_are_copied_and_indexed_like_any_other() -> None:
    cache = filled(randn(0), randn(1))
    assert cache.values.shape == (3, HEADS, BLOCK_SIZE, HEAD_DIM)
    for tensor in cache.tensors:
        tensor[1] = tensor[2]
        assert torch.equal(tensor[[1]], tensor[[2]])
