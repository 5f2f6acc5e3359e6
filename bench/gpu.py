"""`python -m bench.gpu`: the 24B shape with random weights on one GPU, beside what its memory and units allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from bench.bars import Chapter, Figure
from bench.command import at_least_one, model_folder, run_command
from bench.gpu_card import Card
from bench.gpu_peers import peer_sections
from bench.gpu_random import FORMATS, random_text, random_vision, text_bytes
from bench.gpu_start import Stored, start_chapter
from bench.gpu_text import decode_figures, prefill_figures
from bench.gpu_vision import picture_figures
from bench.progress import Steps
from bench.report import Report, Section
from bench.synthetic import WHOLE, ensure_synthetic, slice_of
from bench.synthetic_bf16 import bf16_slice, ensure_bf16, weights_file
from mistralet.config import ModelConfig
from mistralet.errors import UsageError
from mistralet.hub import RELEASES

_BATCH_CONTEXT = 1024  # tokens of each answer
_PICTURE_TIMES = 5
_START_LAYERS = 2  # 1.6 GB in Q4_K_M, 2.6 GB in bfloat16
_PEER_PROMPT = 8192  # tokens, at most


class Part(StrEnum):
    """What can be measured alone."""

    DECODE = "decode"
    BATCH = "batch"
    PREFILL = "prefill"
    VISION = "vision"
    START = "start"
    PEERS = "peers"


_OF_FORMATS = (Part.DECODE, Part.BATCH, Part.PREFILL)


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    parts: tuple[Part, ...]
    config: ModelConfig
    formats: list[str]
    contexts: list[int]
    batches: list[int]
    prompts: list[int]
    pictures: list[tuple[int, int]]  # how many at once, pixels a side
    steps: int
    keep: Path


def main(
    only: Annotated[Part | None, typer.Option(help="Measure this alone.", show_default="all")] = None,
    device: Annotated[str, typer.Option(help="cuda, or cpu to try this program.")] = "cuda",
    layers: Annotated[int | None, typer.Option(help="At most so many layers.", show_default="all")] = None,
    formats: Annotated[str, typer.Option(help="Of the decoder's matrices.")] = ",".join(FORMATS),
    contexts: Annotated[
        str, typer.Option(help="Tokens before the one that is timed, one answer at once.")
    ] = "1024,32768,131072",
    batches: Annotated[str, typer.Option(help="Answers at once, with 1024 tokens each.")] = "1,8,64,256",
    prompts: Annotated[str, typer.Option(help="Lengths of prompts.")] = "1024,8192,131072",
    pictures: Annotated[str, typer.Option(help="So many pictures at once of so many pixels a side.")] = "1x1540,8x448",
    steps: Annotated[int, typer.Option(help="Steps of each figure of answers.")] = 20,
    keep: Annotated[
        Path | None, typer.Option(help="Folder for the files of start (4 GB).", show_default="in the user's cache")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="PATH", help="Write all measurements there, too.")
    ] = None,
) -> None:
    """Measure the text decoder in three formats, pictures, loading, and transformers beside mistralet, on a GPU.

    What the memory does not hold is left out, and the report says so. Peers are measured after the shortest context and
    on the longest prompt up to 8192.

    On 4.3 TB/s and 790 TFLOP/s, with half of either reached, six and a half minutes are expected: 30 seconds until the
    first figure; for each of three formats 15 to make weights and compile kernels, 10 for answers, 5 for the shorter
    prompts and 30 for the one of 131072 (11.5 PFLOP), which is left out if 50 would not do; 5 for pictures; 60 to
    write two files and load each twice; 120 for peers, most of them to compile. With 50 for each long prompt it is
    seven and a half.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("There is no GPU that PyTorch can use here; --device cpu --layers 1 tries the program itself.")
    # Read before anything is made: the whole model takes 47 GB.
    options = Options(
        (only,) if only else tuple(Part),
        sliced(layers),
        _formats(formats),
        _numbers(contexts),
        _numbers(batches),
        _numbers(prompts),
        _pictures(pictures),
        at_least_one("steps", steps),
        model_folder(keep),
    )
    report = Report(json_path)
    with Steps() as progress:
        _run(options, Card.measured(torch.device(device)), progress, report)


def _run(options: Options, card: Card, progress: Steps, report: Report) -> None:
    report.begin(card.facts())
    if any(part in _OF_FORMATS for part in options.parts):
        for name in options.formats:
            with progress.step(f"The text decoder in {name}"):
                report.add(text_chapter(options, name, card))
    if Part.VISION in options.parts:
        with progress.step("Pictures"):
            report.add(vision_chapter(options, card))
    if Part.START in options.parts:
        report.add(_start(options, card, progress))
    if Part.PEERS in options.parts:
        with progress.step("transformers"):
            for section in _peers(options, card):
                report.add(section)


def sliced(layers: int | None) -> ModelConfig:
    """Mistral Small 3.2 with at most so many layers of the text decoder and of the encoder of pictures.

    Raises:
        UsageError: the model has not that many layers.
    """
    vision = RELEASES["small-3.2"].config.vision
    assert vision is not None
    count = vision.num_hidden_layers if layers is None else min(layers, vision.num_hidden_layers)
    return replace(slice_of(layers), vision=replace(vision, num_hidden_layers=count))


def text_chapter(options: Options, name: str, card: Card) -> Chapter:
    """Answers and prompts in a format."""
    title = f"{options.config.num_hidden_layers} layers in {name}"
    figures = card.if_it_fits(title, text_bytes(options.config, name), lambda: list(_of_text(options, name, card)))
    return _chapter(title, [figures] if isinstance(figures, str) else figures, _TEXT_NOTE)


def _of_text(options: Options, name: str, card: Card) -> Iterator[Figure | str]:
    model = random_text(options.config, name, card.device)
    alone = [(1, context) for context in options.contexts if Part.DECODE in options.parts]
    crowds = [(batch, _BATCH_CONTEXT) for batch in options.batches if Part.BATCH in options.parts]
    yield from decode_figures(model, name, dict.fromkeys([*alone, *crowds]), card, options.steps)
    if Part.PREFILL in options.parts:
        yield from prefill_figures(model, name, options.prompts, card)


def vision_chapter(options: Options, card: Card) -> Chapter:
    """Pictures through encoder and projector."""
    vision = options.config.vision
    assert vision is not None
    model = random_vision(options.config, card.device)
    figures = list(picture_figures(model, options.pictures, card, _PICTURE_TIMES))
    return _chapter(f"Pictures, {vision.num_hidden_layers} layers of the encoder in bf16", figures, _VISION_NOTE)


def _start(options: Options, card: Card, progress: Steps) -> Chapter:
    """Loading slices, which are written first unless they are there."""
    layers = min(_START_LAYERS, options.config.num_hidden_layers)
    try:
        with progress.step(f"Writing {layers} layers with random weights, twice"):
            dense = ensure_bf16(options.keep, bf16_slice(layers))
            packed = ensure_synthetic(options.keep, slice_of(layers))
    except (UsageError, ImportError) as error:  # no room, or no `gguf`, which is no reason to lose what follows
        return Chapter("Loading a slice", [], [f"Left out: {error}"])
    with progress.step("Loading them"):
        return start_chapter([Stored("bf16", dense, weights_file(dense)), Stored("Q4_K_M", packed, packed)], card)


def _peers(options: Options, card: Card) -> Iterator[Section]:
    prompts = [length for length in options.prompts if length <= _PEER_PROMPT] or [min(options.prompts)]
    text = replace(options.config, vision=None)
    return peer_sections(text, min(options.contexts), max(prompts), card, options.steps)


def _chapter(title: str, entries: Iterable[Figure | str], note: str) -> Chapter:
    """Figures as a table, and below it the sentences that stand in place of some."""
    entries = list(entries)
    sentences = [entry for entry in entries if isinstance(entry, str)]
    return Chapter(title, [entry for entry in entries if isinstance(entry, Figure)], [*sentences, note])


_TEXT_NOTE = (
    "Against: the measured bandwidth over the bytes of weights and cache that a step reads, or the measured matrix "
    "rate. A step is the model, the vocabulary's scores and the choice of the likeliest token, without the engine. "
    "A prompt is read in steps of 2,048 tokens, three times; from 32,768 tokens on once. "
    f"Bars are of all {WHOLE.num_hidden_layers} layers on a GPU of 4.3 TB/s and 790 TFLOP/s."
)
_VISION_NOTE = (
    "From pixels on the device to the rows of image tokens, encoder and projector. Against: the measured matrix rate "
    "over a picture's operations, those of attention included."
)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise UsageError(f"{text!r} is no list of whole numbers, such as 1024,8192.") from error
    if not numbers or any(number < 1 for number in numbers):
        raise UsageError(f"{text!r} is empty or has a number below 1; write for example 1024,8192.")
    return numbers


def _formats(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"{name!r} is no format that is measured here; there are {', '.join(FORMATS)}.")
    return names


def _pictures(text: str) -> list[tuple[int, int]]:
    """How many at once and the pixels of their sides, which are whole patches after merging."""
    vision = RELEASES["small-3.2"].config.vision
    assert vision is not None
    cases = []
    for part in text.split(","):
        count, _, side = part.strip().partition("x")
        if not (count.isdecimal() and side.isdecimal() and int(count) > 0):
            raise UsageError(f"{text!r} is no list of pictures, such as 1x1540,8x448.")
        if not 0 < int(side) <= vision.image_size or int(side) % vision.merged_patch_size:
            raise UsageError(
                f"{part.strip()!r}: the side must be a multiple of {vision.merged_patch_size} pixels, and at most "
                f"{vision.image_size}."
            )
        cases.append((int(count), int(side)))
    return cases


if __name__ == "__main__":
    run_command(main, "gpu")
