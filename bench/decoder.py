"""Text decoders of mistralet and llama.cpp, in turn on the same file, and what the machine can do, in between."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench.harness import Job, Result
from bench.limits import Limits, measure_limits
from bench.page_cache import read_through, share_in_memory
from bench.programs import Program
from bench.progress import Steps
from bench.report import Row, Section
from bench.work import Scale, Work

PROMPTS = (64, 512)  # tokens
SHORT_CONTEXT, LONG_CONTEXT = 16, 4096  # tokens

_FIRST_ORDINARY_ID = 1000  # below it are control tokens


@dataclass(frozen=True)
class Subject:
    """A model to measure."""

    title: str
    path: Path
    vocab_size: int
    work: Work
    decode_tokens: int
    long_rounds: int  # in so many rounds the long context is read
    scale: Scale | None = None  # if it is a slice


@dataclass(frozen=True)
class Setup:
    """What is the same for all models."""

    ours: Program
    peer: Program
    limits_program: Path
    threads: int
    rounds: int
    flash_attention: bool  # of the peer
    cache: Path  # a folder of the benchmark's own, for mistralet's packed files


@dataclass
class Measured:
    """All that was measured of one model, round after round."""

    first_start: Result | None = None  # with the packed file still to be written; None if the model needs none
    ours: list[Result] = field(default_factory=list)
    peer: list[Result] = field(default_factory=list)
    limits: list[Limits] = field(default_factory=list)
    in_memory: dict[str, list[float | None]] = field(default_factory=dict)  # shares of the files, before each start

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def run(subject: Subject, setup: Setup, steps: Steps) -> Section:
    """Measure a model."""
    shutil.rmtree(setup.cache, ignore_errors=True)
    try:
        measured = _measure(subject, setup, steps)
    finally:
        shutil.rmtree(setup.cache, ignore_errors=True)
    return Section(
        subject.title, rows(subject, measured), setup.peer.name, notes(subject, setup, measured), measured.facts()
    )


def _measure(subject: Subject, setup: Setup, steps: Steps) -> Measured:
    measured = Measured()
    environment = {"XDG_CACHE_HOME": str(setup.cache)}

    def limits() -> None:
        with steps.step(f"{subject.title}: the machine's limits"):
            measured.limits.append(measure_limits(setup.limits_program, setup.threads))

    def start(program: Program, what: str, job: Job, files: Iterable[Path]) -> Result:
        with steps.step(f"{subject.title}: {what}"):
            for file in files:
                read_through(file)
                measured.in_memory.setdefault(what.partition(",")[0], []).append(share_in_memory(file))
            return program.measure(job, environment if program is setup.ours else None)

    limits()
    only_first = _job(subject, setup, contexts=(), prompts=())
    first = start(setup.ours, "mistralet's first start", only_first, [subject.path])
    packed = [path for path in (setup.cache / "mistralet" / "packed").glob("*") if path.is_file()]
    measured.first_start = first if packed else None
    for number in range(setup.rounds):
        long = (LONG_CONTEXT,) if number < subject.long_rounds else ()
        job = _job(subject, setup, (SHORT_CONTEXT, *long))
        which = f"round {number + 1} of {setup.rounds}"
        limits()
        measured.ours.append(start(setup.ours, f"{setup.ours.name}, {which}", job, packed or [subject.path]))
        limits()
        measured.peer.append(start(setup.peer, f"{setup.peer.name}, {which}", job, [subject.path]))
    limits()
    return measured


def _job(subject: Subject, setup: Setup, contexts: tuple[int, ...], prompts: tuple[int, ...] = PROMPTS) -> Job:
    lengths = iter(enumerate((SHORT_CONTEXT, SHORT_CONTEXT, *prompts, *contexts)))
    first, warm_up, *rest = (random_ids(subject.vocab_size, index, length) for index, length in lengths)
    return Job(
        str(subject.path.absolute()),
        setup.threads,
        0.0,
        first,
        warm_up,
        rest[: len(prompts)],
        rest[len(prompts) :],
        subject.decode_tokens,
        setup.flash_attention,
    )


def random_ids(vocab_size: int, seed: int, count: int) -> list[int]:
    """Ids of ordinary tokens; those of another seed start with another token."""
    draw = random.Random(seed)
    return [_FIRST_ORDINARY_ID + seed, *(draw.randrange(_FIRST_ORDINARY_ID, vocab_size) for _ in range(count - 1))]


def rows(subject: Subject, measured: Measured) -> list[Row]:
    """The table of a model."""
    limit = limits_of(measured.limits)
    work = subject.scale.whole if subject.scale else subject.work
    scaled = " (scaled)" if subject.scale else ""
    table = []
    for index, tokens in enumerate(PROMPTS):
        factor = subject.scale.prefill(tokens) if subject.scale else 1.0
        table.append(
            Row(
                f"reading a prompt of {tokens}{scaled}",
                "tokens/s",
                [result.prefill[index] * factor for result in measured.ours],
                [result.prefill[index] * factor for result in measured.peer],
                limit=limit.int8_best * 1e9 * tokens / work.prefill_operations(tokens),
            )
        )
    for index, context in enumerate((SHORT_CONTEXT, LONG_CONTEXT)[: len(measured.ours[0].decode)]):
        factor = subject.scale.decode(context) if subject.scale else 1.0
        table.append(
            Row(
                f"answering after {context:,}{scaled}",
                "tokens/s",
                [result.decode[index] * factor for result in measured.ours if index < len(result.decode)],
                [result.decode[index] * factor for result in measured.peer if index < len(result.decode)],
                limit=limit.read_best * 1e9 / work.decode_bytes(context),
            )
        )
    return table + _start_rows(measured)


def _start_rows(measured: Measured) -> list[Row]:
    ours = [result.first_token_seconds for result in measured.ours]
    peer = [result.first_token_seconds for result in measured.peer]
    if measured.first_start is None:
        starts = [Row("start until the first token", "s", ours, peer, lower_is_better=True)]
    else:
        first = [measured.first_start.first_token_seconds]
        starts = [
            Row("first start until the first token", "s", first, peer, lower_is_better=True),
            Row("later starts until the first token", "s", ours, peer, lower_is_better=True),
        ]
    # Of the rounds that read the longest context: the others need less.
    longest = max(len(result.decode) for result in measured.ours)
    our_memory, peer_memory = (
        [result.peak_memory / 1e9 for result in results if len(result.decode) == longest]
        for results in (measured.ours, measured.peer)
    )
    return [*starts, Row("peak memory", "GB", our_memory, peer_memory, lower_is_better=True)]


def limits_of(samples: list[Limits]) -> Limits:
    """The medians of several measurements."""
    return Limits(
        median(sample.read_best for sample in samples),
        median(sample.read_median for sample in samples),
        median(sample.int8_best for sample in samples),
        median(sample.int8_median for sample in samples),
        samples[0].int8_with,
    )


def notes(subject: Subject, setup: Setup, measured: Measured) -> list[str]:
    """Under which conditions the figures of a model hold."""
    limit = limits_of(measured.limits)
    reads = [sample.read_best for sample in measured.limits]
    products = [sample.int8_best for sample in measured.limits]
    rounds = "One round" if setup.rounds == 1 else f"Medians of {setup.rounds} rounds"
    lines = [
        f"{rounds}; each starts both programs anew, with {setup.threads} threads.",
        f"The machine's limit, measured {len(measured.limits)} times in between: for answering, {limit.read_best:.1f} "
        f"GB/s from memory ({min(reads):.1f} to {max(reads):.1f}); for reading, {limit.int8_best:,.0f} Gop/s of 8-bit "
        f"multiply-accumulates ({min(products):,.0f} to {max(products):,.0f}; {limit.int8_with}).",
    ]
    if subject.scale:
        lines.append(
            f"Scaled: measured on {subject.work.weight_bytes / subject.scale.whole.weight_bytes:.1%} of the model's "
            "bytes, speeds in proportion to the bytes an answer's token reads and to the operations of a prompt; "
            "starts and memory are the slice's own."
        )
    if 0 < subject.long_rounds < setup.rounds:
        lines.append(f"The context of {LONG_CONTEXT:,} was read in {_times(subject.long_rounds)} of the rounds.")
    if measured.first_start:
        lines.append("The first start, which also writes the packed weights to the disk, was measured once.")
    shares = {what: [share for share in of if share is not None] for what, of in measured.in_memory.items()}
    held = ", ".join(f"{median(of):.0%} ({what})" for what, of in shares.items() if of)
    lines.append(
        "Page cache: before each start the file it maps was read through once"
        + (f"; of it was then in memory: {held}." if held else ".")
    )
    return lines


def _times(count: int) -> str:
    return "one" if count == 1 else str(count)
