"""Attention over a paged cache: right on every instruction set, and a row never depends on its company."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mistralet.config import KVType
from mistralet.native import kernels
from mistralet.ops import BLOCK_SIZE, LayerCache, PagedBatch, Span, attend, blocks_for, rotary_table, rotate_and_store

if kernels is None:
    pytest.skip("the native kernels were not built", allow_module_level=True)

SETS = kernels.instruction_sets()
KV_TYPES = [kv_type for kv_type in KVType if kv_type.is_native]


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Sequences:
    """Caches of some contexts, in blocks that are scattered over the pool."""

    def __init__(self, contexts: list[int], kv_heads: int, head_dim: int, kv_type: KVType, seed: int = 0) -> None:
        self.contexts = contexts
        counts = [blocks_for(context) for context in contexts]
        order = torch.randperm(sum(counts) + 3, generator=torch.Generator().manual_seed(seed)).to(torch.int32)
        self.tables = list(order[: sum(counts)].split(counts))
        self.cache = LayerCache.empty(len(order), kv_heads, head_dim, kv_type)
        for tensor in self.cache.tensors:  # what was never written must never be read
            tensor.fill_(float("nan") if tensor.is_floating_point() else 127)
        self.keys = [randn(context, kv_heads, head_dim, seed=seed + 10 + i) for i, context in enumerate(contexts)]
        self.values = [randn(context, kv_heads, head_dim, seed=seed + 50 + i) for i, context in enumerate(contexts)]
        batch = self.batch(contexts)
        rotations = torch.ones(sum(contexts), head_dim // 2, dtype=torch.complex64)
        rotate_and_store(
            torch.zeros(sum(contexts), kv_heads, head_dim),
            torch.cat(self.keys),
            torch.cat(self.values),
            rotations,
            self.cache,
            batch,
        )

    def batch(self, tokens: list[int], causal: bool = True) -> PagedBatch:
        """The last `tokens` of each sequence."""
        spans = zip(tokens, self.contexts, self.tables, strict=True)
        return PagedBatch([Span(*span) for span in spans if span[0]], causal)


def expected_attention(query: Tensor, keys: Tensor, values: Tensor, causal: bool = True) -> Tensor:
    """In float64, head by head and token by token."""
    tokens, heads, head_dim = query.shape
    context, kv_heads, _ = keys.shape
    out = torch.empty(query.shape, dtype=torch.float64)
    for token in range(tokens):
        seen = context - tokens + token + 1 if causal else context
        for head in range(heads):
            own = head // (heads // kv_heads)
            scores = keys[:seen, own].double() @ query[token, head].double() / head_dim**0.5
            out[token, head] = scores.softmax(0) @ values[:seen, own].double()
    return out


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("context", [1, 31, 32, 33, 257])
@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(9, 3, 64), (8, 2, 128), (2, 2, 16), (5, 1, 48)])
def test_attention_is_the_softmax_of_the_products(
    heads: int, kv_heads: int, head_dim: int, context: int, instruction_set: str
) -> None:
    kernels.configure(2, instruction_set)
    sequences = Sequences([context], kv_heads, head_dim, KVType.FLOAT32)
    tokens = min(context, 3)
    query = randn(tokens, heads, head_dim, seed=3)
    actual = attend(query, sequences.cache, sequences.batch([tokens]))
    assert (actual - expected_attention(query, sequences.keys[0], sequences.values[0])).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("kv_type", "tolerance"),
    [
        (KVType.FLOAT32, 1e-5),
        (KVType.FLOAT16, 2e-3),
        (KVType.BFLOAT16, 2e-2),
        (KVType.INT8, 3e-2),
        (KVType.INT4, 2e-1),
        (KVType.FP8, 5e-2),
    ],
)
@pytest.mark.parametrize("context", [40, 300])
def test_every_type_of_cache_loses_only_its_own_rounding(kv_type: KVType, tolerance: float, context: int) -> None:
    sequences = Sequences([context], 2, 32, kv_type)
    query = randn(4, 4, 32, seed=3)
    actual = attend(query, sequences.cache, sequences.batch([4]))
    assert (actual - expected_attention(query, sequences.keys[0], sequences.values[0])).abs().max() < tolerance


@pytest.mark.parametrize("kv_type", KV_TYPES)
def test_the_kernels_read_and_write_what_pytorch_does(kv_type: KVType, monkeypatch: pytest.MonkeyPatch) -> None:
    native = Sequences([70, 5], 2, 96, kv_type)
    query, batch = randn(9, 4, 96, seed=3), native.batch([5, 4])
    attended = attend(query, native.cache, batch)
    monkeypatch.setattr("mistralet.ops.attention.is_native_cache", lambda _: False)
    plain = Sequences([70, 5], 2, 96, kv_type)
    for ours, theirs in zip(native.cache.tensors, plain.cache.tensors, strict=True):
        assert torch.equal(ours.nan_to_num(), theirs.nan_to_num())
    # With an int4 cache the kernels round queries to 8 bits.
    tolerance = 3e-2 if kv_type is KVType.INT4 else 1e-5
    assert (attended - attend(query, plain.cache, batch)).abs().max() < tolerance


@pytest.mark.parametrize("instruction_set", SETS[1:])
@pytest.mark.parametrize("kv_type", KV_TYPES)
def test_every_instruction_set_gives_the_same_bits(kv_type: KVType, instruction_set: str) -> None:
    head_dim = 96 if kv_type is KVType.INT4 else 48
    sequences = Sequences([300, 20], 2, head_dim, kv_type)
    query, batch = randn(12, 6, head_dim, seed=3), sequences.batch([7, 5])
    expected = attend(query, sequences.cache, batch)
    kernels.configure(2, instruction_set)
    assert torch.equal(attend(query, sequences.cache, batch), expected)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    contexts=st.lists(st.integers(1, 600), min_size=1, max_size=3),
    data=st.data(),
    group=st.sampled_from([1, 3, 4]),
    head_dim=st.sampled_from([32, 64]),
    kv_type=st.sampled_from(KV_TYPES),
    threads=st.integers(1, 3),
)
def test_a_token_does_not_depend_on_its_company(
    contexts: list[int], data: st.DataObject, group: int, head_dim: int, kv_type: KVType, threads: int
) -> None:
    """Bit for bit the same alone and in any batch: other sequences, later tokens, scattered blocks, threads."""
    sequences = Sequences(contexts, 2, head_dim, kv_type)
    tokens = [data.draw(st.integers(1, min(context, 40))) for context in contexts]
    query = randn(sum(tokens), 2 * group, head_dim, seed=3)
    kernels.configure(threads, SETS[0])
    together = attend(query, sequences.cache, sequences.batch(tokens)).split(tokens)
    kernels.configure(1, SETS[0])
    index = data.draw(st.integers(0, len(contexts) - 1))
    place = data.draw(st.integers(0, tokens[index] - 1))
    context = contexts[index] - tokens[index] + place + 1
    alone = PagedBatch([Span(1, context, sequences.tables[index])])
    expected = attend(query.split(tokens)[index][place : place + 1], sequences.cache, alone)
    assert torch.equal(together[index][place], expected[0])


def test_segments_see_all_of_themselves_and_nothing_else() -> None:
    lengths = [33, 1, 300]
    sequences = Sequences(lengths, 2, 32, KVType.FLOAT32)
    query = randn(sum(lengths), 2, 32, seed=3)
    attended = attend(query, sequences.cache, sequences.batch(lengths, causal=False)).split(lengths)
    for part, keys, values, own in zip(query.split(lengths), sequences.keys, sequences.values, attended, strict=True):
        assert (own - expected_attention(part, keys, values, causal=False)).abs().max() < 1e-5


def test_keys_and_queries_are_turned_and_values_are_not() -> None:
    head_dim, positions = 16, torch.arange(5, 9)
    query, key, value = randn(4, 4, head_dim), randn(4, 2, head_dim, seed=1), randn(4, 2, head_dim, seed=2)
    cache = LayerCache.empty(1, 2, head_dim, KVType.FLOAT32)
    batch = PagedBatch([Span(4, 9, torch.zeros(1, dtype=torch.int32))])
    assert torch.equal(batch.positions, positions)
    rotations = rotary_table(positions, head_dim, 1e4)
    turned = rotate_and_store(query.clone(), key, value, rotations, cache, batch)

    def by_hand(x: Tensor) -> Tensor:
        return torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (-1, 2))) * rotations.unsqueeze(1)).flatten(-2)

    assert torch.allclose(turned, by_hand(query), atol=1e-6)
    assert torch.allclose(cache.keys[0, :, :, 5:9], by_hand(key).permute(1, 2, 0), atol=1e-6)
    assert torch.equal(cache.values[0, :, 5:9], value.transpose(0, 1))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=16, max_size=16))
def test_half_precision_is_rounded_as_pytorch_rounds_it(numbers: list[float]) -> None:
    value = torch.tensor(numbers).view(1, 1, 16)
    for kv_type, dtype in ((KVType.FLOAT16, torch.float16), (KVType.BFLOAT16, torch.bfloat16)):
        cache = LayerCache.empty(1, 1, 16, kv_type)
        batch = PagedBatch([Span(1, 1, torch.zeros(1, dtype=torch.int32))])
        rotate_and_store(
            torch.zeros(1, 1, 16), torch.zeros(1, 1, 16), value, torch.ones(1, 8, dtype=torch.complex64), cache, batch
        )
        assert torch.equal(cache.values[0, :, 0], value[0].to(dtype))


def test_a_block_holds_32_tokens() -> None:
    assert [blocks_for(tokens) for tokens in (0, 1, BLOCK_SIZE, BLOCK_SIZE + 1)] == [0, 1, 1, 2]
