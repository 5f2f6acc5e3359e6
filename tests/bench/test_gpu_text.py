"""Figures of the text decoder are those of its work, on a CPU with a tiny shape."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from bench import gpu_card, gpu_random, gpu_text
from bench.bars import Figure
from bench.gpu_card import Card
from mistralet.config import KVType
from mistralet.model import MistralSmall
from mistralet.model.layers import Weight
from support.random_models import TEXT, TEXT_AND_VISION

CPU = torch.device("cpu")
CARD = Card(CPU, bandwidth=1e6, rate=1e9)
CONFIG = replace(TEXT, hidden_size=64, intermediate_size=128, head_dim=16)
LAYER = 64 * 64 + 2 * 64 * 32 + 64 * 64 + 3 * 64 * 128  # weights


def half_a_second(
    work: Callable[[], object], _device: torch.device, times: int, warm_up: Callable[[], object] | None = None
) -> list[float]:
    (warm_up or work)()
    work()
    return [0.5] * times


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_text, "seconds", half_a_second)
    monkeypatch.setattr(gpu_card, "room", lambda _device: 1 << 30)


@pytest.mark.parametrize("name", gpu_random.FORMATS)
def test_figures_are_those_of_the_step(name: str) -> None:
    model = gpu_random.random_text(CONFIG, name, CPU)
    (figure,) = gpu_text.decode_figures(model, name, [(3, 40)], CARD, steps=2)
    assert isinstance(figure, Figure)
    assert figure.row.ours == [6.0, 6.0]
    weights = {"bf16": 2.0, "fp8": 1.0, "int4": 4.5 / 8}[name] * 2 * LAYER
    scales = {"fp8": 4 * 2 * (64 + 2 * 32 + 64 + 2 * 128 + 64)}.get(name, 0)
    read = weights + scales + 2 * 128 * 64 + 3 * 40 * CONFIG.kv_bytes_per_token(KVType.BFLOAT16)
    assert figure.row.peer == [pytest.approx(3 * 1e6 / read)]
    (prompt,) = gpu_text.prefill_figures(model, name, [20], CARD)
    assert isinstance(prompt, Figure)
    operations = 2 * 20 * 2 * LAYER + 2 * 2 * 4 * 16 * 20**2
    assert prompt.row.ours == [pytest.approx(100 * operations / 0.5 / 1e9)] * 3


@pytest.mark.parametrize("name", gpu_random.FORMATS)
def test_the_size_of_a_model_is_known_before_it_is_made(name: str) -> None:
    def held(model: MistralSmall) -> int:
        return sum(module.weight.nbytes for module in model.modules() if isinstance(module, Weight))

    config = replace(TEXT_AND_VISION, hidden_size=64, intermediate_size=128)
    assert gpu_random.text_bytes(config, name) == pytest.approx(
        held(gpu_random.random_text(config, name, CPU)), rel=0.05
    )


def test_a_long_prompt_is_read_once_after_its_first_and_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_text, "_LONG_PROMPT", 40)
    monkeypatch.setattr(gpu_text, "_CHUNK", 16)
    model = gpu_random.random_text(CONFIG, "bf16", CPU)
    read: list[int] = []
    model.register_forward_pre_hook(lambda _, inputs: read.append(int(inputs[0].places.positions[0])))
    assert gpu_text.prompt_seconds(model, 40, CARD) == [0.5]
    assert read == [0, 32, 0, 16, 32]
    assert gpu_text.prompt_seconds(model, 39, CARD) == [0.5] * 3


def test_what_is_too_much_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    model = gpu_random.random_text(CONFIG, "bf16", CPU)
    monkeypatch.setattr(gpu_card, "room", lambda _device: 64 * CONFIG.kv_bytes_per_token(KVType.BFLOAT16))
    kept, left_out = gpu_text.decode_figures(model, "bf16", [(1, 64), (1, 65)], CARD, steps=1)
    assert isinstance(kept, Figure)
    assert str(left_out).startswith("1 at once after 65, bf16: left out; it takes ")
    kept, left_out = gpu_text.prefill_figures(model, "bf16", [64, 65], CARD)
    assert isinstance(kept, Figure)
    assert str(left_out).startswith("prompt of 65, bf16: left out; it takes ")


def test_nobody_waits_for_a_prompt_that_takes_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_text, "_PATIENCE", 0.9)
    model = gpu_random.random_text(CONFIG, "bf16", CPU)
    kept, left_out, also_kept = gpu_text.prefill_figures(model, "bf16", [20, 40, 21], CARD)
    assert isinstance(kept, Figure)
    assert str(left_out).endswith("it would take 1 seconds.")
    assert isinstance(also_kept, Figure)


def test_only_the_whole_model_has_bars() -> None:
    cases = [("fp8", 1, 1024), ("fp8", 64, 1024), ("bf16", 64, 1024), ("int4", 1, 32768)]
    assert [gpu_text._decode_bar(CONFIG, *case) for case in cases] == [None] * 4
    whole = replace(CONFIG, num_hidden_layers=40)
    assert [gpu_text._decode_bar(whole, *case) for case in cases] == [150.0, 5000.0, None, None]
