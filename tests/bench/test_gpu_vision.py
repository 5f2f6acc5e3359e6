"""Figures of pictures are those of their arithmetic, on a CPU with a tiny encoder."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from bench import gpu_card, gpu_vision
from bench.bars import Figure
from bench.gpu_card import Card
from bench.gpu_random import random_vision
from bench.work import picture_operations
from mistralet.model.layers import Weight
from support.random_models import TEXT_AND_VISION

CPU = torch.device("cpu")
CONFIG = replace(TEXT_AND_VISION, hidden_size=64)


def test_pictures_a_second_beside_the_matrix_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_vision, "seconds", lambda work, _device, times: (work(), [0.5] * times)[1])
    monkeypatch.setattr(gpu_card, "room", lambda _device: 1 << 30)
    model = random_vision(CONFIG, CPU)
    (figure,) = gpu_vision.picture_figures(model, [(3, 56)], Card(CPU, 1e9, 1e9), times=2)
    assert isinstance(figure, Figure)
    assert figure.row.ours == [6.0, 6.0]
    layer = 2 * 16 * (4 * 32 * 32 + 3 * 32 * 48) + 4 * 16 * 16 * 32
    around = 2 * 16 * 32 * 3 * 14 * 14 + 2 * 4 * (4 * 32 * 32 + 32 * 64 + 64 * 64)
    assert picture_operations(CONFIG, 56) == layer + around
    assert figure.row.peer == [1e9 / (layer + around)]


def test_the_text_decoder_takes_no_memory() -> None:
    weights = {
        name: module.weight for name, module in random_vision(CONFIG, CPU).named_modules() if isinstance(module, Weight)
    }
    on_meta = {name for name, weight in weights.items() if weight.device.type == "meta"}
    assert on_meta == {name for name in weights if name.startswith(("layers.", "tok_embeddings", "norm", "output"))}
