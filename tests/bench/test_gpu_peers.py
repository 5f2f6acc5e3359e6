"""transformers computes in mistralet's shape, and whatever it does, mistralet's figures are kept."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from bench import gpu_card, gpu_peers
from bench.gpu_card import Card
from bench.gpu_random import random_text
from bench.report import Section
from mistralet.model.layers import Weight
from support.random_models import TEXT

CPU = torch.device("cpu")
CARD = Card(CPU, 1e6, 1e9)
CONFIG = replace(TEXT, hidden_size=64, intermediate_size=128, head_dim=16)
ROWS = ["answering after 10", "reading a prompt of 20"]


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_card, "room", lambda _device: 1 << 30)


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How the compiler was called; it compiles nothing."""
    calls: list[dict[str, Any]] = []

    def compile_nothing(work: Callable[..., object], **options: Any) -> Callable[..., object]:
        calls.append(options)
        return work

    monkeypatch.setattr(torch, "compile", compile_nothing)
    return calls


def sections() -> list[Section]:
    return list(gpu_peers.peer_sections(CONFIG, 10, 20, CARD, steps=2))


def test_both_peers_stand_beside_the_same_figures(compiled: list[dict[str, Any]]) -> None:
    plain, graph = sections()
    assert [row.name for row in plain.rows] == [row.name for row in graph.rows] == ROWS
    assert [row.ours for row in plain.rows] == [row.ours for row in graph.rows]
    assert [len(row.peer) for row in plain.rows] == [2, 3]
    assert [len(row.peer) for row in graph.rows] == [2, 0]
    assert all(row.limit for row in plain.rows)
    assert compiled == [{"mode": "reduce-overhead", "fullgraph": True}]


def test_the_peer_has_the_same_shape() -> None:
    peer = gpu_peers.random_peer(CONFIG, CPU)
    ours = [module.weight for module in random_text(CONFIG, "bf16", CPU).modules() if isinstance(module, Weight)]
    shapes, peer_shapes = (sorted(tuple(weight.shape) for weight in each) for each in (ours, peer.parameters()))
    assert peer_shapes == shapes
    assert {parameter.dtype for parameter in peer.parameters()} == {torch.bfloat16}
    assert peer.config.sliding_window is None
    assert peer.config._attn_implementation == "sdpa"


def test_a_peer_that_fails_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no compiler\nin sight")

    monkeypatch.setattr(torch, "compile", fail)
    plain, graph = sections()
    assert plain.rows[0].peer
    assert not graph.rows[0].peer
    assert "compiled: left out; it failed with RuntimeError (no compiler)." in graph.notes[0]


def test_without_transformers_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    (section,) = sections()
    assert [row.name for row in section.rows] == ROWS
    assert section.notes == ["transformers is not installed here and not compared with; pip install transformers."]


def test_without_room_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_card, "room", lambda _device: 1000)
    monkeypatch.setattr(gpu_peers, "random_text", lambda *_: pytest.fail("made nevertheless"))
    (section,) = sections()
    assert section.rows == []
    assert section.notes[0].startswith("mistralet: left out; it takes ")
