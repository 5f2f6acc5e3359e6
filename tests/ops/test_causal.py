"""The last tokens of a sequence see it up to themselves, whichever kernels attend."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor

from mistralet.ops import causal

GENERATOR = torch.Generator().manual_seed(0)
GPU = torch.device("cuda")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same numbers in whatever order tests run."""
    GENERATOR.manual_seed(0)


def by_hand(query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """`[tokens, heads, head_dim]` and `[kv_heads, context, head_dim]`, in float64."""
    tokens, heads, head_dim = query.shape
    repeats = heads // len(keys)
    keys, values = (x.double().repeat_interleave(repeats, 0) for x in (keys, values))
    scores = torch.einsum("thd,hcd->htc", query.double(), keys) * head_dim**-0.5
    visible = torch.ones(tokens, keys.shape[1], dtype=torch.bool).tril(keys.shape[1] - tokens)
    return torch.einsum("htc,hcd->thd", scores.masked_fill(~visible, -torch.inf).softmax(-1), values)


def tensors(tokens: int, context: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    shapes = ((tokens, 4, 16), (2, context, 16), (2, context, 16))
    query, keys, values = (torch.randn(*shape, generator=GENERATOR).to(dtype) for shape in shapes)
    return query, keys, values


@pytest.mark.parametrize(("tokens", "context"), [(2, 2), (3, 10), (40, 41)])
def test_by_pytorch(tokens: int, context: int) -> None:
    given = tensors(tokens, context, torch.float32)
    torch.testing.assert_close(causal.causal_attention(*given).double(), by_hand(*given), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("gives_sums", [False, True])
def test_by_flash_attention(gives_sums: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a batch of `[tokens, heads, head_dim]` each, and lets the ends of both meet."""

    def flash_attn_func(query: Tensor, keys: Tensor, values: Tensor, causal: bool) -> Tensor | tuple[Tensor, Tensor]:
        assert causal
        out = by_hand(query[0], keys[0].transpose(0, 1), values[0].transpose(0, 1))[None]
        return (out, out[..., 0]) if gives_sums else out

    monkeypatch.setattr(causal, "_flash_attention", lambda _device: flash_attn_func)
    given = tensors(3, 10, torch.bfloat16)
    assert torch.equal(causal.causal_attention(*given), by_hand(*given))
    single = tensors(3, 10, torch.float32)  # which it does not take
    torch.testing.assert_close(causal.causal_attention(*single).double(), by_hand(*single), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("capability", "installed", "chosen"),
    [
        ((9, 0), {"flash_attn", "flash_attn_interface"}, "flash_attn_interface"),
        ((9, 0), {"flash_attn"}, "flash_attn"),
        ((8, 0), {"flash_attn", "flash_attn_interface"}, "flash_attn"),
        ((7, 5), {"flash_attn"}, None),
        ((9, 0), set(), None),
    ],
)
def test_the_package_is_chosen_by_the_card(
    capability: tuple[int, int], installed: set[str], chosen: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name in installed else None)
    for name in installed:
        module = ModuleType(name)
        module.__dict__["flash_attn_func"] = name
        monkeypatch.setitem(sys.modules, name, module)
    causal._flash_attention.cache_clear()
    try:
        assert causal._flash_attention(GPU) == chosen
    finally:
        causal._flash_attention.cache_clear()


def test_a_cpu_has_none() -> None:
    assert causal._flash_attention(torch.device("cpu")) is None
