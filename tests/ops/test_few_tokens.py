"""Operands that the native form cannot take as they lie give the same as many tokens do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mistralet.ops import apply_rotary, causal_attention, rms_norm, rotary_table, swiglu

FEW, MANY = 2, 40  # tokens; only the first number takes the native form


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def norm(x: Tensor, weight: Tensor) -> Tensor:
    return rms_norm(x, weight, 1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_a_norm_weight_of_another_type(dtype: torch.dtype) -> None:
    x, weight = randn(MANY, 64), randn(64, seed=1).to(dtype)
    assert torch.allclose(norm(x[:FEW], weight), norm(x, weight)[:FEW], atol=1e-5)


def test_a_norm_weight_with_gaps() -> None:
    x, weight = randn(MANY, 64), randn(128, seed=1)[::2]
    assert torch.allclose(norm(x[:FEW], weight), norm(x, weight)[:FEW], atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda up: up.bfloat16(),
        lambda up: up.T.contiguous().T,
        lambda up: torch.cat((up, up), dim=-1)[:, : up.shape[1]],
    ],
    ids=["other-type", "transposed", "with-gaps"],
)
def test_the_second_factor_of_swiglu(change: Callable[[Tensor], Tensor]) -> None:
    gate, up = randn(MANY, 64), randn(MANY, 64, seed=1)
    assert torch.allclose(swiglu(gate[:FEW], change(up[:FEW])), swiglu(gate, change(up))[:FEW], atol=1e-5)


def test_rotations_with_gaps() -> None:
    x, rotations = randn(MANY, 3, 16), rotary_table(torch.arange(2 * MANY), 16, 1e4)[::2]
    assert torch.allclose(apply_rotary(x[:FEW], rotations[:FEW]), apply_rotary(x, rotations)[:FEW], atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda cached: cached,
        lambda cached: cached.transpose(0, 1).contiguous().transpose(0, 1),
        lambda cached: torch.cat((cached, cached), dim=-1)[..., : cached.shape[-1]],
        lambda cached: cached[:, ::2],
        lambda cached: cached.float(),
        lambda cached: cached.bfloat16(),
    ],
    ids=["half", "by-token", "with-gaps", "every-other-token", "float32", "bfloat16"],
)
def test_a_cache_of_any_layout_and_type(change: Callable[[Tensor], Tensor]) -> None:
    keys, values = (change(randn(2, 30, 16, seed=seed).half()) for seed in (1, 2))
    query = randn(4, 4, 16)
    several = causal_attention(query, keys, values)
    assert torch.allclose(causal_attention(query[-1:], keys, values), several[-1:], atol=1e-4)


def test_a_cache_whose_values_are_of_another_type_than_its_keys() -> None:
    keys, values = randn(2, 30, 16, seed=1).half(), randn(2, 30, 16, seed=2).bfloat16()
    query = randn(4, 4, 16)
    several = causal_attention(query, keys, values)
    assert torch.allclose(causal_attention(query[-1:], keys, values), several[-1:], atol=1e-4)
