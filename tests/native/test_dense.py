"""Products with float weights as they lie, against float64 and against themselves in other company."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mistralet.native import kernels
from mistralet.ops import linear, norm_linear, rms_norm
from mistralet.quant import FORMATS, QuantizedTensor, pack

if kernels is None:
    pytest.skip("the native kernels were not built", allow_module_level=True)

SETS = kernels.instruction_sets()
TYPES = [torch.float32, torch.float16, torch.bfloat16]
# More than a block of columns; more tokens than are read straight from memory, and than a block holds.
COLUMNS = st.one_of(st.integers(1, 70), st.sampled_from([1024, 1025, 2100]))
TOKENS = st.one_of(st.integers(1, 20), st.sampled_from([60, 61, 130]))


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def q8_matrix(rows: int, columns: int) -> QuantizedTensor:
    blocks = torch.randint(0, 256, (rows, columns // 32, 34), dtype=torch.uint8, generator=torch.Generator())
    blocks[..., :2] = torch.tensor([0.01]).half().view(torch.uint8)
    return QuantizedTensor(FORMATS["Q8_0"], blocks.view(rows, -1), columns)


@pytest.mark.parametrize("instruction_set", SETS)
@pytest.mark.parametrize("tokens", [1, 2, 3, 12, 13, 65])
@pytest.mark.parametrize("dtype", TYPES)
def test_a_product_is_that_of_the_numbers_as_they_are(dtype: torch.dtype, tokens: int, instruction_set: str) -> None:
    """Weights are not rounded, nor are activations: only float32 sums differ from float64 ones."""
    kernels.configure(2, instruction_set)
    weight, x = randn(37, 1100).to(dtype), randn(tokens, 1100, seed=1)
    expected = x.double() @ weight.double().T
    bound = x.double().abs() @ weight.double().abs().T
    assert ((linear(x, weight) - expected).abs() < 1e-6 * bound).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    dtype=st.sampled_from(TYPES),
    rows=st.integers(1, 70),
    columns=COLUMNS,
    tokens=TOKENS,
    threads=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_a_row_does_not_depend_on_its_company(
    dtype: torch.dtype, rows: int, columns: int, tokens: int, threads: int, seed: int
) -> None:
    """Bit for bit the same alone and in any batch, whatever the sizes and the number of threads."""
    weight, x = randn(rows, columns, seed=seed).to(dtype), randn(tokens, columns, seed=seed + 1)
    kernels.configure(threads, SETS[0])
    together = linear(x, weight)
    kernels.configure(1, SETS[0])
    assert torch.equal(together, torch.cat([linear(row[None], weight) for row in x]))
    assert torch.equal(together[:, -1:], linear(x, weight[-1:]))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(dtype=st.sampled_from(TYPES), rows=st.integers(1, 40), columns=COLUMNS, tokens=TOKENS)
def test_every_instruction_set_gives_the_same_bits(dtype: torch.dtype, rows: int, columns: int, tokens: int) -> None:
    weight, x = randn(rows, columns).to(dtype), randn(tokens, columns, seed=1)
    results = []
    for instruction_set in SETS:
        kernels.configure(2, instruction_set)
        results.append(linear(x, weight))
    assert all(torch.equal(result, results[0]) for result in results)


@pytest.mark.parametrize("tokens", [1, 5, 70])
@pytest.mark.parametrize("dtype", TYPES)
def test_weights_may_begin_anywhere(dtype: torch.dtype, tokens: int) -> None:
    """In a mapped file a tensor begins where the one before it ends."""
    weight, x = randn(19, 45).to(dtype), randn(tokens, 45, seed=1)
    storage = torch.zeros(weight.numel() + 1, dtype=dtype)
    storage[1:] = weight.flatten()
    assert torch.equal(linear(x, storage[1:].view(19, 45)), linear(x, weight))


@pytest.mark.parametrize("tokens", [1, 12, 13])
def test_one_call_takes_matrices_of_every_kind(tokens: int) -> None:
    weights = [*(randn(rows, 96, seed=rows).to(dtype) for rows, dtype in zip((40, 5, 17), TYPES, strict=True))]
    mixed = [weights[0], pack(q8_matrix(33, 96)), *weights[1:]]
    x = randn(tokens, 96)
    norm = randn(96, seed=2)
    for weight, result in zip(mixed, norm_linear(x, norm, 1e-5, mixed), strict=True):
        assert torch.equal(result, norm_linear(x, norm, 1e-5, [weight])[0])
        assert (result - linear(rms_norm(x, norm, 1e-5), weight)).norm() < 1e-3 * result.norm()


def test_what_is_not_finite_stays_in_its_row() -> None:
    """Columns and rows that only fill up a register do not mix with their neighbours."""
    weight, x = randn(5, 11), randn(20, 11, seed=1)
    weight[4, 10], x[7, 10] = torch.inf, torch.nan
    result = linear(x, weight)
    assert torch.isnan(result[7]).all()
    assert torch.isfinite(torch.cat((result[:7], result[8:]))[:, :4]).all()
    assert torch.isinf(torch.cat((result[:7], result[8:]))[:, 4]).all()


def test_a_matrix_with_gaps_is_multiplied_all_the_same() -> None:
    weight, x = randn(40, 64), randn(7, 64, seed=1)
    assert torch.allclose(linear(x, weight[::2]), linear(x, weight)[:, ::2], atol=1e-5)
