"""What `python -m bench.gpu` is asked for, and which chapters it makes of it, on a CPU with a tiny shape."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import gpu, gpu_card
from bench.gpu import Options, Part
from bench.gpu_card import Card
from bench.progress import Steps
from bench.report import Report
from mistralet.errors import UsageError
from support.random_models import TEXT_AND_VISION

CARD = Card(torch.device("cpu"), 1e9, 1e9)
OPTIONS = Options(
    parts=(),
    config=replace(TEXT_AND_VISION, hidden_size=64, intermediate_size=128),
    formats=["bf16"],
    contexts=[40, 70],
    batches=[1, 2],
    prompts=[20],
    pictures=[(2, 56)],
    steps=1,
    keep=Path("no"),
)


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_card, "room", lambda _device: 1 << 30)


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ([Part.DECODE], ["1 at once after 40", "1 at once after 70"]),
        ([Part.BATCH], ["1 at once after 1,024", "2 at once after 1,024"]),
        ([Part.PREFILL], ["prompt of 20"]),
    ],
)
def test_a_part_is_measured_alone(parts: list[Part], names: list[str]) -> None:
    chapter = gpu.text_chapter(replace(OPTIONS, parts=tuple(parts)), "int4", CARD)
    assert chapter.title == "2 layers in int4"
    assert [figure.row.name.partition(" (")[0] for figure in chapter.figures] == names


def test_what_two_parts_have_in_common_is_measured_once() -> None:
    options = replace(OPTIONS, parts=(Part.DECODE, Part.BATCH), contexts=[1024])
    chapter = gpu.text_chapter(options, "bf16", CARD)
    assert [figure.row.name for figure in chapter.figures] == ["1 at once after 1,024", "2 at once after 1,024"]


def test_a_format_without_room_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_card, "room", lambda _device: 1000)
    monkeypatch.setattr(gpu, "random_text", lambda *_: pytest.fail("made nevertheless"))
    chapter = gpu.text_chapter(replace(OPTIONS, parts=(Part.DECODE,)), "fp8", CARD)
    assert chapter.figures == []
    assert chapter.notes[0].startswith("2 layers in fp8: left out; it takes ")


def test_the_report_says_what_was_left_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(gpu_card, "room", lambda _device: 1000)
    with Steps() as steps:
        gpu._run(replace(OPTIONS, parts=(Part.VISION,)), CARD, steps, Report(None))
    out = capsys.readouterr().out
    assert "- 2 of 56 x 56 pixels at once: left out; it takes " in out
    assert "|" not in out


@pytest.mark.parametrize("error", [UsageError("a full disk"), ModuleNotFoundError("No module named 'gguf'")])
def test_a_file_that_cannot_be_written_is_a_sentence(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Path:
        raise error

    monkeypatch.setattr(gpu, "ensure_bf16", fail)
    with Steps() as steps:
        assert gpu._start(OPTIONS, CARD, steps).notes == [f"Left out: {error}"]


def test_a_slice_has_fewer_layers_of_both_stacks() -> None:
    assert [(c.num_hidden_layers, c.vision.num_hidden_layers) for c in map(gpu.sliced, (1, 30, None)) if c.vision] == [
        (1, 1),
        (30, 24),
        (40, 24),
    ]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"contexts": "many"}, "no list of whole numbers"),
        ({"batches": "0"}, "has a number below 1"),
        ({"prompts": ","}, "is empty"),
        ({"pictures": "448"}, "no list of pictures"),
        ({"pictures": "1x450"}, "multiple of 28 pixels"),
        ({"pictures": "1x1568"}, "at most 1540"),
        ({"formats": "bf16,q4"}, "'q4' is no format"),
        ({"layers": 41}, "must be from 1 to 40"),
        ({"steps": 0}, "--steps is 0"),
    ],
)
def test_what_is_asked_for_is_checked(asked: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_run", lambda *_: pytest.fail("begun nevertheless"))
    with pytest.raises(UsageError, match=message):
        gpu.main(**{"device": "cpu", **asked})


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no GPU that PyTorch can use"):
        gpu.main()
