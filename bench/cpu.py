"""`python -m bench.cpu`: mistralet beside llama.cpp and beside the machine's limits, on the CPU."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench import decoder, programs, vision
from bench.command import at_least_one, model_folder, packed_cache, run_command
from bench.decoder import Setup, Subject
from bench.flash_attention import Choice, choose
from bench.limits import compile_limits
from bench.machine import describe_machine
from bench.progress import Steps
from bench.report import Report, Section
from bench.synthetic import WHOLE, ensure_synthetic, plan_tensors, slice_of
from bench.work import Scale, work_of
from mistralet.checkpoint import open_checkpoint
from mistralet.hub.tiny import tiny_path
from mistralet.machine import available_cpus

_ROUNDS, _QUICK_ROUNDS = 3, 1
# Of the 24B shape, on which the peer's way of attention is chosen.
_CHOICE_LAYERS = 2


class Part(StrEnum):
    """What can be measured alone."""

    TINY = "tiny"
    WHOLE = "24b"
    VISION = "vision"


@dataclass(frozen=True)
class Options:
    """What the user asked for."""

    parts: tuple[Part, ...]
    quick: bool
    layers: int | None
    threads: int
    rounds: int
    keep: Path
    peer_python: Path


def cpu(
    only: Annotated[Part | None, typer.Option(help="Measure this alone.", show_default="all")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One round, without the context of 4,096.")] = False,
    layers: Annotated[int | None, typer.Option(help="Layers of 24b, to be scaled up.", show_default="all")] = None,
    threads: Annotated[int | None, typer.Option(help="Of each program.", show_default="all processors")] = None,
    rounds: Annotated[int | None, typer.Option(help="Of each program, in turn.", show_default="3")] = None,
    keep: Annotated[
        Path | None, typer.Option(help="Folder for the 24b file (14 GB).", show_default="in the user's cache")
    ] = None,
    peer_python: Annotated[
        Path | None, typer.Option(help="A Python that has llama-cpp-python.", show_default="this one")
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="PATH", help="Write all measurements there, too.")
    ] = None,
) -> None:
    """Measure mistralet and llama.cpp in turn: the stand-in (tiny), the full shape (24b), pictures (vision)."""
    options = Options(
        (only,) if only else tuple(Part),
        quick,
        layers,
        at_least_one("threads", available_cpus() if threads is None else threads),
        at_least_one("rounds", (_QUICK_ROUNDS if quick else _ROUNDS) if rounds is None else rounds),
        model_folder(keep),
        peer_python or Path(sys.executable),
    )
    slice_of(layers)  # refuses what no model has before anything takes time
    report = Report(json_path)
    with Steps() as steps:
        _run(options, steps, report)


def _run(options: Options, steps: Steps, report: Report) -> None:
    machine = describe_machine(options.threads) | programs.mistralet().describe()
    texts = [part for part in options.parts if part is not Part.VISION]
    peer = programs.llama_cpp(options.peer_python) if texts else None
    report.begin(machine | (peer.describe() if peer else {}))
    with tempfile.TemporaryDirectory() as folder:
        if peer:
            with steps.step("Compiling the measurement of the machine's limits"):
                limits_program = compile_limits(Path(folder))
            cache = packed_cache(options.keep)
            ours = programs.mistralet()
            setup = Setup(
                ours, peer, limits_program, options.threads, options.rounds, flash_attention=True, cache=cache
            )
        for part in texts:
            report.add((_tiny if part is Part.TINY else _whole)(options, setup, steps))
    if Part.VISION in options.parts:
        with steps.step("Pictures"):
            report.add(vision.run(options.threads, options.rounds, options.quick, options.layers))


def _tiny(options: Options, setup: Setup, steps: Steps) -> Section:
    checkpoint = open_checkpoint(tiny_path())
    subject = Subject(
        "The stand-in (SmolLM2-135M, Q4_1)",
        checkpoint.path,
        checkpoint.config.vocab_size,
        work_of(checkpoint.tensors.values(), checkpoint.config),
        decode_tokens=64,
        long_rounds=0 if options.quick else options.rounds,
    )
    choice = choose(subject.path, subject.vocab_size, "the stand-in", setup, steps)
    return _measure(subject, setup, choice, steps)


def _whole(options: Options, setup: Setup, steps: Steps) -> Section:
    config = slice_of(options.layers)
    with steps.step("Writing random weights in the shape of the 24B model") as progress:
        path = ensure_synthetic(options.keep, config, progress)
        small = ensure_synthetic(options.keep, slice_of(_CHOICE_LAYERS), progress)
    work = work_of(open_checkpoint(path).tensors.values(), config)
    shape = "The full 24B shape (Q4_K_M, random weights)"
    scale = None
    if config.num_hidden_layers < WHOLE.num_hidden_layers:
        shape = (
            f"{config.num_hidden_layers} of the 24B shape's {WHOLE.num_hidden_layers} layers (Q4_K_M, random weights)"
        )
        scale = Scale(work, work_of(plan_tensors(WHOLE, path), WHOLE))
    subject = Subject(
        shape,
        path,
        config.vocab_size,
        work,
        decode_tokens=8 if options.quick else 16,
        long_rounds=0 if options.quick else 1,
        scale=scale,
    )
    choice = choose(small, config.vocab_size, f"{_CHOICE_LAYERS} layers of this shape", setup, steps)
    return _measure(subject, setup, choice, steps)


def _measure(subject: Subject, setup: Setup, choice: Choice, steps: Steps) -> Section:
    section = decoder.run(subject, replace(setup, flash_attention=choice.flash_attention), steps)
    return replace(section, notes=[*section.notes, choice.note])


def main() -> None:
    """Run the command."""
    run_command(cpu, "cpu")


if __name__ == "__main__":
    main()
