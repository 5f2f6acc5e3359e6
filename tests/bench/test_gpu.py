"""The GPU benchmark works out what it says, tried on a CPU with a tiny shape."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench import gpu
from mistralet.config import KVType
from mistralet.errors import UsageError
from support.random_models import TEXT

CPU = torch.device("cpu")
CONFIG = replace(TEXT, hidden_size=64, intermediate_size=128, head_dim=16)


@pytest.mark.parametrize("name", ["bf16", "fp8", "int4"])
def test_figures_are_those_of_the_step(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_seconds", lambda work, _device, _times: (work(), 0.5)[1])
    model = gpu.random_model(CONFIG, name, CPU)
    (figure,) = gpu.decode_figures(model, name, [40], [3], bandwidth=1e6, steps=1)
    assert figure.row.ours == [6.0]
    weights = {"bf16": 2.0, "fp8": 1.0, "int4": 4.5 / 8}[name] * 2 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 128)
    scales = {"fp8": 4 * 2 * (64 + 2 * 32 + 64 + 2 * 128 + 64)}.get(name, 0)
    read = weights + scales + 2 * 128 * 64 + 3 * 40 * CONFIG.kv_bytes_per_token(KVType.BFLOAT16)
    assert figure.row.peer == [pytest.approx(3 * 1e6 / read)]
    (prompt,) = gpu.prefill_figures(model, name, [20], rate=1e9)
    operations = 2 * 20 * 2 * (64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 128) + 2 * 2 * 4 * 16 * 20**2
    assert prompt.row.ours == [pytest.approx(100 * operations / 0.5 / 1e9)]


def test_limits_are_measured() -> None:
    assert gpu.copy_bandwidth(CPU, 1 << 20) > 1e6
    assert gpu.matrix_rate(CPU) > 1e6


def test_what_is_asked_for_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no list of whole numbers"):
        gpu.main(device="cpu", contexts="many")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no GPU that PyTorch can use"):
        gpu.main()
