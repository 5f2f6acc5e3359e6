"""A model runs on a GPU if it fits there, unless somebody says otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from mistralet.checkpoint import Checkpoint
from mistralet.checkpoint.plan import plan_checkpoint
from mistralet.config import KVType, Rounding
from mistralet.engine.device import choose_device
from mistralet.errors import UsageError
from support.random_models import TEXT, checkpoint_of, random_weights

GiveGpus = Callable[[int, int], None]


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    weights = {name: weight.bfloat16() for name, weight in random_weights(TEXT).items()}
    return checkpoint_of(TEXT, weights)


@pytest.fixture
def give_gpus(monkeypatch: pytest.MonkeyPatch) -> GiveGpus:
    monkeypatch.delenv("MISTRALET_DEVICE", raising=False)

    def give(count: int, free: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, free))

    return give


def needed(checkpoint: Checkpoint) -> int:
    return plan_checkpoint(checkpoint, KVType.BFLOAT16).needed(4096)


def test_without_a_gpu_it_is_the_cpu(checkpoint: Checkpoint, give_gpus: GiveGpus) -> None:
    give_gpus(0, 0)
    assert choose_device("auto", checkpoint).type == "cpu"
    assert choose_device("cpu", checkpoint).type == "cpu"


def test_a_gpu_is_taken_if_it_holds_the_model(
    checkpoint: Checkpoint, give_gpus: GiveGpus, caplog: pytest.LogCaptureFixture
) -> None:
    give_gpus(1, needed(checkpoint))
    assert choose_device("auto", checkpoint).type == "cuda"
    assert not caplog.messages
    give_gpus(1, needed(checkpoint) - 1)
    assert choose_device("auto", checkpoint).type == "cpu"
    assert "it runs on the CPU" in caplog.text
    assert choose_device("cuda", checkpoint).type == "cuda"


@pytest.mark.parametrize("rounding", Rounding)
def test_rounded_weights_need_less(checkpoint: Checkpoint, give_gpus: GiveGpus, rounding: Rounding) -> None:
    give_gpus(1, needed(checkpoint) - 1)
    assert choose_device("auto", checkpoint, rounding).type == "cuda"


def test_several_gpus_hold_more(checkpoint: Checkpoint, give_gpus: GiveGpus) -> None:
    give_gpus(2, needed(checkpoint) - 1)
    assert choose_device("auto", checkpoint, shards=2).type == "cuda"
    assert choose_device("auto", checkpoint, shards=3).type == "cpu"


def test_the_environment_decides_where_nobody_asks(
    checkpoint: Checkpoint, give_gpus: GiveGpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_gpus(1, needed(checkpoint))
    monkeypatch.setenv("MISTRALET_DEVICE", "cpu")
    assert choose_device("auto", checkpoint).type == "cpu"
    assert choose_device("cuda", checkpoint).type == "cuda"


@pytest.mark.parametrize(
    ("name", "gpus", "message"),
    [
        ("gpu", 1, "There is no device called 'gpu'; it may be auto, cpu, cuda, or cuda:1."),
        ("meta", 1, "The device 'meta' is not one that models run on here"),
        ("cuda:1", 1, "There is no GPU 1 here; the last is 0."),
        ("cuda", 0, "PyTorch finds no GPU here"),
    ],
)
def test_devices_that_are_none(checkpoint: Checkpoint, give_gpus: GiveGpus, name: str, gpus: int, message: str) -> None:
    give_gpus(gpus, needed(checkpoint))
    with pytest.raises(UsageError, match=message):
        choose_device(name, checkpoint)
