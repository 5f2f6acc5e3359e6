"""Each operation against an independent formula; attention and the native forms are tested in tests/native."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mistralet.ops import (
    apply_rotary,
    embedding,
    gelu,
    linear,
    rms_norm,
    rotary_table,
    rotary_table_2d,
    swiglu,
)
from mistralet.quant import FORMATS, QuantizedTensor

FEW_AND_MANY = pytest.mark.parametrize("tokens", [1, 5, 30])


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def q8_matrix(rows: int, columns: int) -> QuantizedTensor:
    blocks = torch.randint(0, 256, (rows, columns // 32, 34), dtype=torch.uint8, generator=torch.Generator())
    blocks[..., :2] = torch.tensor([0.01]).half().view(torch.uint8)
    return QuantizedTensor(FORMATS["Q8_0"], blocks.view(rows, -1), columns)


@pytest.mark.parametrize("rows", [1, 33, 5000])
def test_linear_over_a_quantised_matrix_is_the_dense_product(rows: int) -> None:
    """5000 rows are more than one tile."""
    weight, x = q8_matrix(rows, 320), randn(3, 320)
    assert (linear(x, weight) - x @ weight.dequantize().T).abs().max() < 1e-3


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_linear_over_floats_of_another_type_converts_them(stored: torch.dtype, dtype: torch.dtype) -> None:
    weight, x = randn(40, 64).to(stored), randn(3, 64, seed=1).to(dtype)
    result = linear(x, weight)
    assert result.dtype == dtype
    assert torch.allclose(result, x @ weight.to(dtype).T, atol=1e-5)


def test_embedding_takes_rows_of_any_matrix() -> None:
    weight, ids = q8_matrix(10, 64), torch.tensor([3, 3, 9])
    assert torch.equal(embedding(ids, weight, torch.float32), weight.dequantize()[ids])
    dense = randn(10, 64)
    assert torch.equal(embedding(ids, dense, torch.bfloat16), dense[ids].bfloat16())


@FEW_AND_MANY
@pytest.mark.parametrize("size", [576, 37])
def test_rms_norm(tokens: int, size: int) -> None:
    x, weight = randn(tokens, size) * 3, randn(size, seed=1)
    wide = x.double()
    expected = wide / (wide.square().mean(-1, keepdim=True) + 1e-5).sqrt() * weight
    assert (rms_norm(x, weight, 1e-5) - expected).abs().max() < 1e-5


def test_rms_norm_rounds_before_the_weight_as_the_reference_does() -> None:
    from transformers.models.mistral.modeling_mistral import MistralRMSNorm

    reference = MistralRMSNorm(64, eps=1e-5).to(torch.bfloat16)
    reference.weight.data = randn(64, seed=1).bfloat16()
    x = randn(4, 64).bfloat16()
    assert torch.equal(rms_norm(x, reference.weight, 1e-5), reference(x))


@FEW_AND_MANY
def test_swiglu(tokens: int) -> None:
    gate, up = randn(tokens, 100) * 20, randn(tokens, 100, seed=1)
    expected = gate.double() * torch.sigmoid(gate.double()) * up
    assert (swiglu(gate, up) - expected).abs().max() < 1e-5


def test_gelu_is_the_exact_one() -> None:
    x = torch.linspace(-4, 4, 101)
    exact = x.double() * 0.5 * (1 + torch.erf(x.double() / 2**0.5))
    assert (gelu(x) - exact).abs().max() < 1e-6


@FEW_AND_MANY
def test_rotary_turns_neighbouring_features(tokens: int) -> None:
    head_dim, theta, first = 16, 1e4, 100
    positions = torch.arange(first, first + tokens)
    x = randn(tokens, 3, head_dim)
    turned = apply_rotary(x, rotary_table(positions, head_dim, theta))
    for token in range(tokens):
        for pair in range(head_dim // 2):
            angle = torch.tensor((first + token) * theta ** (-2 * pair / head_dim), dtype=torch.float64)
            a, b = x[token, :, 2 * pair].double(), x[token, :, 2 * pair + 1].double()
            assert (turned[token, :, 2 * pair] - (a * angle.cos() - b * angle.sin())).abs().max() < 1e-4
            assert (turned[token, :, 2 * pair + 1] - (a * angle.sin() + b * angle.cos())).abs().max() < 1e-4


def test_a_rotary_product_depends_on_the_distance_alone() -> None:
    query, key = randn(1, 1, 64), randn(1, 1, 64, seed=1)

    def product(query_at: int, key_at: int) -> float:
        rotated = [
            apply_rotary(x, rotary_table(torch.tensor([at]), 64, 1e6)) for x, at in ((query, query_at), (key, key_at))
        ]
        return float((rotated[0] * rotated[1]).sum())

    assert product(10, 3) == pytest.approx(product(1010, 1003), abs=1e-3)
    assert product(10, 3) != pytest.approx(product(10, 4), abs=1e-3)


def test_2d_rotary_gives_even_frequencies_to_rows_and_odd_ones_to_columns() -> None:
    table = rotary_table_2d(torch.tensor([5]), torch.tensor([7]), head_dim=64, theta=1e4)
    frequencies = torch.tensor([1e4 ** (-2 * i / 64) for i in range(32)])
    angles = torch.cat((5 * frequencies[0::2], 7 * frequencies[1::2]))
    assert torch.allclose(table[0], torch.polar(torch.ones(32), angles), atol=1e-5)


@pytest.mark.parametrize("theta", [1e4, 1e9])
def test_a_rotation_does_not_depend_on_the_positions_beside_it(theta: float) -> None:
    positions = torch.arange(1000)
    together = rotary_table(positions, 128, theta)
    assert all(
        torch.equal(rotary_table(positions[at : at + 1], 128, theta)[0], together[at]) for at in range(0, 1000, 7)
    )
