"""`python -m bench.engine`: what the engine makes of many requests, against llama.cpp and against itself without it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from bench import concurrency, killed, lookup, prefix, programs, step_overhead
from bench.bars import Chapter
from bench.command import at_least_one, model_folder, run_command
from bench.concurrency import Crowd
from bench.machine import describe_machine
from bench.neighbours import Neighbours
from bench.progress import Steps
from bench.report import Report
from bench.synthetic import WHOLE, ensure_synthetic, slice_of
from mistralet.checkpoint import open_checkpoint
from mistralet.engine import LoadedModel, load
from mistralet.errors import UsageError
from mistralet.hub.tiny import tiny_path
from mistralet.machine import available_cpus
from mistralet.native import kernels


class Part(StrEnum):
    """What can be measured alone."""

    EIGHT = "8"
    THIRTY_TWO = "32"
    PREFIX = "prefix"
    LOOKUP = "lookup"
    OVERHEAD = "overhead"
    KILLED = "killed"


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    parts: tuple[Part, ...]
    model: Path
    title: str
    quick: bool
    threads: int
    peer_python: Path


def engine(
    only: Annotated[Part | None, typer.Option(help="Measure this alone.", show_default="all")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Once, on shorter answers and fewer questions.")] = False,
    model: Annotated[Path | None, typer.Option(help="A model's path.", show_default="the stand-in")] = None,
    layers: Annotated[
        int | None, typer.Option(help="Measure so many layers of the 24B shape with random weights instead.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Of each program.", show_default="all processors")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Folder for the file of --layers.", show_default="in the user's cache")
    ] = None,
    peer_python: Annotated[
        Path | None, typer.Option(help="A Python that has llama-cpp-python.", show_default="this one")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="PATH", help="Write all measurements there, too.")
    ] = None,
) -> None:
    """Measure many answers at once, shared prefixes, prompt lookup, a step beside the model, and a killed worker."""
    if model is not None and layers is not None:
        raise UsageError("--model and --layers both name a model; give one of them.")
    threads = at_least_one("threads", available_cpus() if threads is None else threads)
    parts = (only,) if only else tuple(Part)
    if layers is not None:
        slice_of(layers)  # refuses what no model has before anything takes time
        parts = tuple(part for part in parts if part is not Part.LOOKUP)  # random weights copy nothing
    report = Report(json_path)
    with Steps() as steps:
        path, title = _model(model, layers, model_folder(keep), steps)
        options = Options(parts, path, title, quick, threads, peer_python or Path(sys.executable))
        _run(options, steps, report)


def _model(model: Path | None, layers: int | None, folder: Path, steps: Steps) -> tuple[Path, str]:
    """Where the model is, and what it is called."""
    if model is not None:
        return model, model.name
    if layers is None:
        return tiny_path(), "The stand-in"
    with steps.step("Writing random weights in the shape of the 24B model") as progress:
        path = ensure_synthetic(folder, slice_of(layers), progress)
    return path, f"{layers} of the 24B shape's {WHOLE.num_hidden_layers} layers"


def _run(options: Options, steps: Steps, report: Report) -> None:
    ours = programs.mistralet()
    crowds = [part for part in options.parts if part in (Part.EIGHT, Part.THIRTY_TWO)]
    peer = programs.llama_cpp(options.peer_python) if crowds else None
    facts = describe_machine(options.threads) | ours.describe()
    report.begin(facts | (peer.describe() if peer else {}))
    for crowd in crowds:
        assert peer is not None
        neighbours = Neighbours()
        chapter = concurrency.run(_crowd(options, int(crowd)), ours, peer, steps)
        report.add(_with_neighbours(chapter, neighbours))
    rest = [part for part in options.parts if part not in crowds]
    if rest:
        loaded = _load(options)
        for part in rest:
            neighbours = Neighbours()
            report.add(_with_neighbours(_chapter(part, options, loaded, steps), neighbours))


def _crowd(options: Options, answers: int) -> Crowd:
    return Crowd(
        options.title,
        options.model,
        open_checkpoint(options.model).config.vocab_size,
        answers,
        decode_tokens=24 if options.quick else 64,
        threads=options.threads,
        rounds=1 if options.quick else 2,
    )


def _chapter(part: Part, options: Options, loaded: LoadedModel, steps: Steps) -> Chapter:
    title, quick = options.title, options.quick
    if part is Part.PREFIX:
        return prefix.run(title, loaded, 500 if quick else 2000, 16, steps)
    if part is Part.LOOKUP:
        return lookup.run(title, loaded, 64 if quick else 128, 1 if quick else 3, steps)
    if part is Part.KILLED:
        return killed.run(title, options.model, loaded.model.config.vocab_size, 2 if quick else 5, steps)
    return step_overhead.run(title, loaded, 24 if quick else 64, steps)


def _with_neighbours(chapter: Chapter, neighbours: Neighbours) -> Chapter:
    note = f"Other programs took {neighbours.share():.0%} of the processors meanwhile."
    return replace(chapter, notes=[*chapter.notes, note])


def _load(options: Options) -> LoadedModel:
    if kernels is not None:
        kernels.configure(options.threads, os.environ.get("MISTRALET_NATIVE") or kernels.instruction_sets()[0])
    torch.set_num_threads(options.threads)
    return load(options.model)


def main() -> None:
    """Run the command."""
    run_command(engine, "engine")


if __name__ == "__main__":
    main()
