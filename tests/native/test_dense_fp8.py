"""Products with FP8 codes as they lie, against float64 and against themselves in other company."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mistralet.native import kernels
from mistralet.ops import SCORE_BLOCK, feed_forward_block, linear, norm_linear, rms_norm, score, swiglu
from mistralet.ops.linear import are_native
from mistralet.quant import Encoding, ScaledTensor

if kernels is None:
    pytest.skip("the native kernels were not built", allow_module_level=True)

SETS = kernels.instruction_sets()
# More tokens than are read straight from memory, and than a block of them holds.
TOKENS = st.one_of(st.integers(1, 20), st.sampled_from([60, 61, 130]))
# With the number of groups of columns that have a scale each: odd sizes, more than a block of columns, groups that are
# smaller than such a block, as large, larger.
SHAPES = st.one_of(
    st.tuples(st.integers(1, 70), st.just(1)),
    st.sampled_from([(1024, 1), (1025, 1), (2100, 1), (24, 3), (384, 3), (1120, 5), (2048, 2), (4096, 2)]),
)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def matrix(rows: int, columns: int, groups: int = 1, seed: int = 0) -> ScaledTensor:
    """Any codes but those of NaN, and scales of all sizes."""
    generator = torch.Generator().manual_seed(seed)
    codes = torch.randint(0, 127, (rows, columns), dtype=torch.uint8, generator=generator)
    codes |= torch.randint(0, 2, codes.shape, dtype=torch.uint8, generator=generator) << 7
    scales = 2.0 ** torch.randint(-30, 5, (rows, groups), generator=generator) * randn(rows, groups, seed=seed).abs()
    return ScaledTensor(Encoding.FP8, codes.view(torch.float8_e4m3fn), scales)


def weights_of(weight: ScaledTensor) -> Tensor:
    """In float64, exactly."""
    groups = weight.values().double().unflatten(-1, (-1, weight.group_size))
    return (groups * weight.scales.double().unsqueeze(-1)).flatten(-2)


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("tokens", [1, 2, 3, 12, 13, 65])
@pytest.mark.parametrize("groups", [1, 5])
def test_a_product_is_that_of_the_numbers_as_they_are(groups: int, tokens: int, instruction_set: str) -> None:
    """Neither weights nor activations are rounded: only float32 sums differ from float64 ones."""
    kernels.configure(2, instruction_set)
    weight, x = matrix(37, 1120, groups), randn(tokens, 1120, seed=1)
    assert are_native(x, [weight])
    expected = x.double() @ weights_of(weight).T
    bound = x.double().abs() @ weights_of(weight).abs().T
    assert ((linear(x, weight) - expected).abs() <= 1e-6 * bound).all()


@pytest.mark.parametrize("tokens", [1, 13])
@pytest.mark.parametrize("instruction_set", SETS)
def test_every_code_has_its_value(instruction_set: str, tokens: int) -> None:
    """The smallest ones too, which have no leading one; what stands for no number is some number."""
    kernels.configure(1, instruction_set)
    codes = torch.arange(256, dtype=torch.uint8).view(torch.float8_e4m3fn).unsqueeze(1)
    product = linear(torch.ones(tokens, 1), ScaledTensor(Encoding.FP8, codes, torch.full((256, 1), 0.37)))
    values = codes.to(torch.float32)[:, 0]
    numbers = ~values.isnan()
    assert numbers.sum() == 254
    assert torch.equal(product[:, numbers], (values * 0.37)[numbers].expand(tokens, -1))
    assert product.isfinite().all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(shape=SHAPES, rows=st.integers(1, 70), tokens=TOKENS, threads=st.integers(1, 3), seed=st.integers(0, 1000))
def test_a_row_does_not_depend_on_its_company(
    shape: tuple[int, int], rows: int, tokens: int, threads: int, seed: int
) -> None:
    """Bit for bit the same alone and in any batch, whatever the sizes and the number of threads."""
    weight, x = matrix(rows, *shape, seed=seed), randn(tokens, shape[0], seed=seed + 1)
    kernels.configure(threads, SETS[0])
    together = linear(x, weight)
    kernels.configure(1, SETS[0])
    assert torch.equal(together, torch.cat([linear(row[None], weight) for row in x]))
    assert torch.equal(together[:, -1:], linear(x, weight.select(slice(rows - 1, rows))))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(shape=SHAPES, rows=st.integers(1, 40), tokens=TOKENS)
def test_every_instruction_set_gives_the_same_bits(shape: tuple[int, int], rows: int, tokens: int) -> None:
    weight, x = matrix(rows, *shape), randn(tokens, shape[0], seed=1)
    results = []
    for instruction_set in SETS:
        kernels.configure(2, instruction_set)
        results.append(linear(x, weight))
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("tokens", [1, 5, 70])
def test_weights_may_begin_anywhere(tokens: int) -> None:
    """In a mapped file a tensor begins where the one before it ends."""
    weight, x = matrix(19, 45), randn(tokens, 45, seed=1)
    storage = torch.zeros(weight.codes.numel() + 1, dtype=torch.uint8)
    storage[1:] = weight.codes.view(torch.uint8).flatten()
    moved = replace(weight, codes=storage[1:].view(19, 45).view(torch.float8_e4m3fn))
    assert torch.equal(linear(x, moved), linear(x, weight))


@pytest.mark.parametrize("tokens", [1, 12, 13])
def test_one_call_takes_other_floats_beside_them(tokens: int) -> None:
    weights = [matrix(33, 96), randn(17, 96).bfloat16(), matrix(5, 96, 3)]
    x, norm = randn(tokens, 96), randn(96, seed=2)
    for weight, result in zip(weights, norm_linear(x, norm, 1e-5, weights), strict=True):
        assert torch.equal(result, norm_linear(x, norm, 1e-5, [weight])[0])
        assert (result - linear(rms_norm(x, norm, 1e-5), weight)).norm() < 1e-5 * result.norm()


@pytest.mark.parametrize("tokens", [1, 14])
def test_half_a_layer_and_scores(tokens: int) -> None:
    gate, up, down = matrix(40, 32, seed=1), matrix(40, 32, 2, seed=2), matrix(32, 40, seed=3)
    x, norm = randn(tokens, 32), randn(32, seed=4)
    gates, ups = norm_linear(x, norm, 1e-5, [gate, up])
    expected = linear(swiglu(gates, ups), down, onto=x)
    torch.testing.assert_close(feed_forward_block(x.clone(), norm, 1e-5, (gate, up, down)), expected)
    output = matrix(200, 32)
    scores, maxima = score(x, norm, 1e-5, output)
    assert torch.equal(scores, norm_linear(x, norm, 1e-5, [output])[0])
    assert maxima is not None
    assert torch.equal(maxima[:, 0], scores[:, :SCORE_BLOCK].amax(-1))
    assert torch.equal(maxima[:, 1], scores[:, SCORE_BLOCK:].amax(-1))


@pytest.mark.parametrize(
    "weight",
    [
        matrix(9, 36, 3),  # groups that are no multiple of 8
        matrix(9, 3072, 2),  # groups that end within a block of columns
        replace(matrix(9, 64), scales=torch.rand(9, 1).half()),
        replace(matrix(9, 64), scales=torch.rand(9, 2)[:, :1]),
        replace(matrix(9, 64), codes=matrix(9, 80).codes[:, :64]),
        replace(matrix(9, 64), offsets=torch.rand(9, 1)),
        replace(matrix(9, 64), order=torch.arange(64).flip(0)),
    ],
)
def test_what_the_kernels_do_not_take_is_multiplied_all_the_same(weight: ScaledTensor) -> None:
    x = randn(3, weight.shape[1], seed=1)
    assert not are_native(x, [weight])
    torch.testing.assert_close(linear(x, weight), x @ weight.dequantize().T)


def test_activations_of_another_type_take_their_own_way() -> None:
    weight, x = matrix(9, 64), randn(3, 64, seed=1).bfloat16()
    assert not are_native(x, [weight])
    assert linear(x, weight).dtype == torch.bfloat16
