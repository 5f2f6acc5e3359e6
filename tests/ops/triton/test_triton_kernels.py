"""The kernels compute what PyTorch does in float32, of odd sizes, with whatever lies where nothing was written."""

from __future__ import annotations

import importlib
import math

import pytest
import torch
from torch import Tensor

from mistralet import ops
from mistralet.config import KVType, Rounding
from mistralet.ops import BLOCK_SIZE, LayerCache, PagedBatch, PagedTables, Span, blocks_for
from mistralet.quant import Encoding, ScaledTensor, pack_half_bytes, round_weight

triton = pytest.importorskip("mistralet.ops.triton")
float8 = importlib.import_module("mistralet.ops.triton.float8")
decode = importlib.import_module("mistralet.ops.triton.decode_attention")
dequantize = importlib.import_module("mistralet.ops.triton.dequantize").dequantize
CPU = torch.device("cpu")
GENERATOR = torch.Generator().manual_seed(0)
STORED = [KVType.FLOAT32, KVType.FLOAT16, KVType.BFLOAT16, KVType.INT8, KVType.FP8]


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same numbers in whatever order tests run."""
    GENERATOR.manual_seed(0)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR)


def random_scaled(encoding: Encoding, rows: int, columns: int, group: int, has_offsets: bool) -> ScaledTensor:
    if encoding is Encoding.INT8:
        codes = torch.randint(-128, 128, (rows, columns), generator=GENERATOR).to(torch.int8)
    elif encoding is Encoding.FP8:
        codes = randn(rows, columns).to(torch.float8_e4m3fn)
    else:
        codes = pack_half_bytes(torch.randint(0, 16, (rows, columns), generator=GENERATOR))
    scales = torch.rand(rows, columns // group, generator=GENERATOR).half()
    return ScaledTensor(encoding, codes, scales, randn(rows, columns // group) if has_offsets else None)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize(
    ("tokens", "rows", "group"), [(1, 100, 32), (3, 64, 64), (4, 7, 192), (9, 70, 32), (65, 65, 64), (130, 9, 192)]
)
@pytest.mark.parametrize("has_offsets", [False, True])
def test_products(encoding: Encoding, tokens: int, rows: int, group: int, has_offsets: bool) -> None:
    weight = random_scaled(encoding, rows, 192, group, has_offsets)
    x = randn(tokens, 192)
    expected = x @ weight.dequantize().T
    onto = randn(tokens, rows) if rows % 2 else None
    expected = expected if onto is None else expected + onto
    actual = triton.scaled_linear(x, weight, onto)
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


# The interpreter has no products of bfloat16 matrices.
@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(("tokens", "dtype"), [(1, torch.float16), (17, torch.float16), (130, torch.bfloat16)])
def test_products_in_half_precision(rounding: Rounding, tokens: int, dtype: torch.dtype) -> None:
    weight = round_weight(randn(48, 128), rounding)
    x = randn(tokens, 128).to(dtype)
    actual = triton.scaled_linear(x, weight)
    assert actual.dtype == dtype
    expected = x.float() @ weight.dequantize().T
    torch.testing.assert_close(actual.float(), expected, rtol=2e-2, atol=2e-2 * float(expected.abs().max()))


@pytest.mark.parametrize(("rows", "columns"), [(65, 2048), (200, 1056)])
def test_columns_split_among_programs(rows: int, columns: int) -> None:
    weight = random_scaled(Encoding.INT8, rows, columns, 32, has_offsets=True)
    x, onto = randn(18, columns), randn(18, rows)
    expected = x @ weight.dequantize().T + onto
    torch.testing.assert_close(triton.scaled_linear(x, weight, onto), expected, rtol=1e-4, atol=1e-2)


def test_no_tokens_touch_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that only reads scores no row; the vocabulary's matrix would be gigabytes as floats."""
    weight = random_scaled(Encoding.INT8, 5, 64, 32, has_offsets=True)
    monkeypatch.setattr(ScaledTensor, "dequantize", lambda _self: pytest.fail("weights were turned into floats"))
    assert triton.scaled_linear(randn(0, 64), weight).shape == (0, 5)


def all_float8() -> ScaledTensor:
    numbers = torch.arange(256, dtype=torch.uint8)
    is_number = (numbers & 127) < 127
    codes = torch.where(is_number, numbers, 0).view(torch.float8_e4m3fn).repeat(2, 1)
    return ScaledTensor(Encoding.FP8, codes, torch.tensor([[1.0], [0.5]]))


@pytest.mark.parametrize("encoding", ["fp8", "fp8_by_bits"])
def test_every_float8_code(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mistralet.ops.triton.dequantize.encoding_name", lambda _weight: encoding)
    weight = all_float8()
    assert torch.equal(dequantize(weight, torch.float32), weight.dequantize())


def test_tokens_rounded_to_float8() -> None:
    x = randn(20, 3000).bfloat16()
    x[3] = 0
    codes, scales = float8.round_tokens(x)
    torch.testing.assert_close(scales[:, 0], x.float().abs().amax(-1).clamp(min=1e-12) / 448)
    assert torch.equal(codes.float(), (x.float() / scales).to(torch.float8_e4m3fn).float())


def test_products_in_float8() -> None:
    weight = round_weight(randn(32, 64), Rounding.FP8)
    x = randn(20, 64).bfloat16()
    codes, scales = float8.round_tokens(x)
    expected = codes.float() * scales @ weight.dequantize().T
    torch.testing.assert_close(float8.float8_linear(x, weight).float(), expected, rtol=1e-2, atol=0.05)


@pytest.mark.parametrize("tokens", [0, 1, 20])
@pytest.mark.parametrize("group", [1, 2, 8, 16])
def test_small_groups(tokens: int, group: int) -> None:
    weight = random_scaled(Encoding.INT8, 5, 16, group, has_offsets=True)
    x = randn(tokens, 16)
    torch.testing.assert_close(triton.scaled_linear(x, weight), x @ weight.dequantize().T, rtol=1e-4, atol=1e-3)


def test_columns_in_another_order() -> None:
    weight = random_scaled(Encoding.INT4, 20, 64, 32, has_offsets=True)
    order = torch.randperm(64, generator=GENERATOR)
    weight = ScaledTensor(weight.encoding, weight.codes, weight.scales, weight.offsets, order)
    x = randn(4, 64)
    torch.testing.assert_close(triton.scaled_linear(x, weight), x @ weight.dequantize().T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1, 48, 100, 1024])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rms_norm(size: int, dtype: torch.dtype) -> None:
    x, weight = (5 * randn(7, size)).to(dtype), randn(size).to(dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(
        triton.rms_norm(x, weight, 1e-5), ops.rms_norm(x, weight, 1e-5), rtol=tolerance, atol=tolerance
    )


def poisoned(blocks: int, kv_heads: int, head_dim: int, kv_type: KVType) -> LayerCache:
    """A cache in which not a number lies wherever nothing is written."""
    cache = LayerCache.empty(blocks, kv_heads, head_dim, kv_type)
    for tensor in cache.tensors:
        tensor.fill_(math.nan if tensor.is_floating_point() else 127)  # as float8 it is none
    return cache


@pytest.mark.parametrize(("tokens", "size"), [(0, 8), (1, 5), (3, 1024), (2, 1500)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_swiglu(tokens: int, size: int, dtype: torch.dtype) -> None:
    gate, up = (3 * randn(tokens, 2 * size + 1)).to(dtype).split([size, size + 1], dim=-1)  # rows that lie apart
    up = up[:, 1:]
    expected = torch.nn.functional.silu(gate) * up
    torch.testing.assert_close(triton.swiglu(gate, up), expected)


@pytest.mark.parametrize("kv_type", STORED)
@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(4, 2, 16), (3, 1, 48)])
def test_rotate_and_store(kv_type: KVType, heads: int, kv_heads: int, head_dim: int) -> None:
    spans = [Span(3, 40, torch.tensor([2, 0], dtype=torch.int32)), Span(1, 32, torch.tensor([1], dtype=torch.int32))]
    batch = PagedBatch(spans)
    rotations = ops.rotary_table(batch.positions, head_dim, 1e4)
    joined = randn(4, heads + 2 * kv_heads, head_dim)
    joined[2, heads] = 0  # a key of zeros, which has no scale
    query, key, value = joined.split([heads, kv_heads, kv_heads], dim=1)
    cache, expected = (poisoned(3, kv_heads, head_dim, kv_type) for _ in range(2))
    turned = triton.rotate_and_store(query, key, value, rotations, cache, batch.tables_on(CPU))
    clones = (part.to(torch.float64).float().contiguous() for part in (query, key, value))
    torch.testing.assert_close(turned, ops.rotate_and_store(*clones, rotations, expected, batch))
    for actual_part, expected_part in zip(cache.tensors, expected.tensors, strict=True):
        if actual_part.dtype == torch.int8:  # half a code apart, rounded up or down
            assert (actual_part.int() - expected_part.int()).abs().max() <= 1
        elif actual_part.dtype == torch.uint8:
            numbers = (part.view(torch.float8_e4m3fn).float() for part in (actual_part, expected_part))
            torch.testing.assert_close(*numbers, rtol=1 / 8, atol=2**-9, equal_nan=True)
        else:
            torch.testing.assert_close(actual_part, expected_part, equal_nan=True)


def float8_numbers() -> Tensor:
    """Every number of float8, what lies halfway to the next, and the floats beside both."""
    codes = torch.arange(0x7F, dtype=torch.uint8).view(torch.float8_e4m3fn).float()
    halfway = (codes[1:] + codes[:-1]) / 2
    exact = torch.cat((codes, halfway, torch.tensor([2.0**-10, 1e-9, 1e-38])))
    zeros, ends = torch.zeros_like(exact), torch.full_like(exact, 448.0)
    found = torch.cat((exact, torch.nextafter(exact, zeros), torch.nextafter(exact, ends)))
    return torch.cat((found, -found))


def test_float8_is_stored_as_pytorch_rounds_it() -> None:
    numbers = float8_numbers()
    value = torch.full((1, 1, 2048), 448.0)  # of which the scale is 1
    value[0, 0, : len(numbers)] = numbers
    cache = LayerCache.empty(1, 1, 2048, KVType.FP8)
    batch = PagedBatch([Span(1, 1, torch.zeros(1, dtype=torch.int32))])
    rotations = torch.ones(1, 1024, dtype=torch.complex64)
    triton.rotate_and_store(value, value, value, rotations, cache, batch.tables_on(CPU))
    expected = value[0, 0].to(torch.float8_e4m3fn).view(torch.uint8)
    assert torch.equal(cache.values[0, 0, 0], expected)
    assert torch.equal(cache.keys[0, 0, :, 0] & 0x7F, expected & 0x7F)


def test_what_is_no_number_stays_none_in_float8() -> None:
    value = torch.ones(1, 1, 16)
    value[0, 0, 3] = math.nan
    cache = LayerCache.empty(1, 1, 16, KVType.FP8)
    batch = PagedBatch([Span(1, 1, torch.zeros(1, dtype=torch.int32))])
    rotations = torch.ones(1, 8, dtype=torch.complex64)
    triton.rotate_and_store(value, value, value, rotations, cache, batch.tables_on(CPU))
    assert cache.values[0, 0, 0].view(torch.float8_e4m3fn).float()[3].isnan()


def test_a_token_without_a_slot_is_not_kept() -> None:
    cache = poisoned(1, 1, 16, KVType.FLOAT32)
    tables = PagedTables(
        torch.zeros(2, dtype=torch.int64), torch.tensor([-1, 3]), torch.zeros(2, 1, dtype=torch.int32),
        torch.tensor([0, 4], dtype=torch.int32), 4,
    )  # fmt: skip
    rotations = ops.rotary_table(tables.positions, 16, 1e4)
    triton.rotate_and_store(randn(2, 2, 16), randn(2, 1, 16), torch.ones(2, 1, 16), rotations, cache, tables)
    kept = torch.full((1, 1, BLOCK_SIZE, 16), math.nan)
    kept[0, 0, 3] = 1
    torch.testing.assert_close(cache.values, kept, equal_nan=True)


def test_a_row_without_a_context_comes_to_nothing() -> None:
    tables = PagedTables(
        torch.zeros(1, dtype=torch.int64), torch.tensor([-1]), torch.zeros(1, 3, dtype=torch.int32),
        torch.zeros(1, dtype=torch.int32), 70,
    )  # fmt: skip
    attended = triton.decode_attention(randn(1, 2, 16), poisoned(1, 1, 16, KVType.FLOAT32), tables)
    assert torch.equal(attended, torch.zeros(1, 2, 16))


@pytest.mark.parametrize("kv_type", [*STORED, "fp8_by_bits"])
@pytest.mark.parametrize(("heads", "kv_heads", "head_dim"), [(4, 2, 16), (6, 1, 48), (32, 2, 32)])
def test_decode_attention(
    kv_type: KVType | str, heads: int, kv_heads: int, head_dim: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kv_type == "fp8_by_bits":
        monkeypatch.setattr(decode, "float8_name", lambda _device: "fp8_by_bits")
    kv_type = KVType(kv_type.removesuffix("_by_bits"))
    contexts = [1, 31, 32, 33, 700]  # of one token, of parts of blocks, of several pieces
    order = torch.randperm(sum(map(blocks_for, contexts)), generator=GENERATOR).to(torch.int32)
    cache = poisoned(len(order), kv_heads, head_dim, kv_type)
    spans, first = [], 0
    for context in contexts:
        spans.append(Span(1, context, order[first : first + blocks_for(context)]))
        first += blocks_for(context)
    for span in spans:  # all of a sequence, to be read again as one token
        whole = PagedBatch([Span(span.context, span.context, span.blocks)])
        shape = (span.context, kv_heads, head_dim)
        rotations = torch.ones(span.context, head_dim // 2, dtype=torch.complex64)
        ops.rotate_and_store(
            randn(span.context, heads, head_dim), randn(*shape), randn(*shape), rotations, cache, whole
        )
    query = randn(len(spans), heads, head_dim)
    batch = PagedBatch(spans)
    # The type keeps the native kernels out, which compute in whole numbers of a float16 cache.
    expected = torch.cat([_attended(query[row : row + 1], cache, span) for row, span in enumerate(spans)])
    torch.testing.assert_close(
        triton.decode_attention(query, cache, batch.tables_on(CPU)), expected, rtol=1e-4, atol=1e-4
    )


def _attended(query: Tensor, cache: LayerCache, span: Span) -> Tensor:
    """By hand: softmax over the keys of one sequence, in float64."""
    blocks = span.blocks.long()
    keys, values = cache.keys[blocks], cache.values[blocks]
    if cache.kv_type is KVType.FP8:
        keys, values = keys.view(torch.float8_e4m3fn), values.view(torch.float8_e4m3fn)
    keys, values = keys.double(), values.double()
    if cache.key_scales is not None and cache.value_scales is not None:
        keys, values = keys * cache.key_scales[blocks][:, :, None], values * cache.value_scales[blocks][..., None]
    keys = keys.permute(1, 0, 3, 2).flatten(1, 2)[:, : span.context]
    values = values.transpose(0, 1).flatten(1, 2)[:, : span.context]
    repeats = query.shape[1] // keys.shape[0]
    keys, values = keys.repeat_interleave(repeats, 0), values.repeat_interleave(repeats, 0)
    scores = torch.einsum("hd,hkd->hk", query[0].double(), keys) * query.shape[-1] ** -0.5
    return torch.einsum("hk,hkd->hd", scores.softmax(-1), values).float()[None]


def test_the_last_block_need_not_be_full() -> None:
    cache = poisoned(1, 1, 16, KVType.FLOAT32)
    cache.keys[0, :, :, 0], cache.values[0, :, 0] = 1.0, 3.0
    batch = PagedBatch([Span(1, 1, torch.zeros(1, dtype=torch.int32))])
    assert BLOCK_SIZE > 1
    attended = triton.decode_attention(torch.ones(1, 2, 16), cache, batch.tables_on(CPU))
    assert torch.equal(attended, torch.full((1, 2, 16), 3.0))
