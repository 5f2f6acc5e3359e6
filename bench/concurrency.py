"""Many answers at once: mistralet beside llama.cpp's batched decoding, and beside mistralet one after the other."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any

from bench.bars import Chapter, Figure
from bench.batched import BatchJob, BatchResult
from bench.decoder import random_ids
from bench.programs import Program
from bench.progress import Steps
from bench.report import Row

SHORTEST, LONGEST = 64, 128  # tokens of the prompts, which are all of different lengths
_TRIAL_TOKENS = 8
BAR = 2.0


@dataclass(frozen=True)
class Crowd:
    """What to measure."""

    title: str
    model: Path
    vocab_size: int
    answers: int
    decode_tokens: int
    threads: int
    rounds: int


def run(crowd: Crowd, ours: Program, peer: Program, steps: Steps) -> Chapter:
    """Measure in turn; the peer in the fastest of its settings, which are tried first.

    Raises:
        UsageError: a program fails.
    """
    job = job_of(crowd)
    what = f"{crowd.title}, {crowd.answers} answers"
    trials: list[tuple[BatchJob, float]] = []
    for flash_attention, unified_cache in product((True, False), repeat=2):
        setting = replace(job, flash_attention=flash_attention, unified_cache=unified_cache)
        with steps.step(f"{what}: {peer.name} with {_name(setting)}"):
            trials.append((setting, peer.measure_batch(replace(setting, decode_tokens=_TRIAL_TOKENS)).decode))
    best, _ = max(trials, key=lambda trial: trial[1])
    results: dict[str, list[BatchResult]] = {"together": [], "one by one": [], "peer": []}
    for number in range(crowd.rounds):
        for program, name, each in (
            (ours, "together", job),
            (peer, "peer", best),
            (ours, "one by one", replace(job, at_once=1)),
        ):
            with steps.step(f"{what}: {program.name}, {name}, round {number + 1} of {crowd.rounds}"):
                results[name].append(program.measure_batch(each))
    tried = "; ".join(f"{_name(setting)} {speed:.0f} tokens/s" for setting, speed in trials)
    return Chapter(
        f"{crowd.title}: {crowd.answers} answers at once",
        figures(results, peer.name),
        notes=[
            f"{crowd.answers} prompts of {SHORTEST} to {LONGEST} tokens, {crowd.decode_tokens} tokens each, greedy, "
            f"nothing guessed ahead; {crowd.threads} threads; rounds: {crowd.rounds}. Decoding: while all of them are "
            "written.",
            f"{peer.name} in its fastest setting, {_name(best)} (tried on {_TRIAL_TOKENS} tokens: {tried}).",
        ],
        raw=facts(results),
    )


def job_of(crowd: Crowd) -> BatchJob:
    """Prompts that start unlike each other, evenly from the shortest to the longest."""
    spread = (LONGEST - SHORTEST) / max(1, crowd.answers - 1)
    prompts = [random_ids(crowd.vocab_size, index, SHORTEST + round(index * spread)) for index in range(crowd.answers)]
    return BatchJob(str(crowd.model.absolute()), crowd.threads, prompts, crowd.decode_tokens, crowd.answers)


def figures(results: dict[str, list[BatchResult]], peer: str) -> list[Figure]:
    """The table: decoding against both, and everything, prompts included, from first to last."""
    together, others, alone = results["together"], results["peer"], results["one by one"]

    def speeds(of: list[BatchResult]) -> list[float]:
        return [result.decode for result in of]

    def seconds(of: list[BatchResult]) -> list[float]:
        return [result.seconds for result in of]

    return [
        Figure(Row("decoding", "tokens/s", speeds(together), speeds(others)), peer, BAR),
        Figure(Row("decoding", "tokens/s", speeds(together), speeds(alone)), "one after the other", BAR),
        Figure(Row("all in all", "s", seconds(together), seconds(others), lower_is_better=True), peer),
        Figure(Row("all in all", "s", seconds(together), seconds(alone), lower_is_better=True), "one after the other"),
    ]


def facts(results: dict[str, list[BatchResult]]) -> dict[str, Any]:
    """Everything measured, and how many of the answers begin alike in both programs and are the same to the end."""
    ours, peers = results["together"][0].answers, results["peer"][0].answers
    same = [
        next((i for i, (a, b) in enumerate(zip(*pair, strict=True)) if a != b), len(pair[0]))
        for pair in zip(ours, peers, strict=True)
    ]
    return {
        "tokens_alike": {"median": median(same), "of": len(ours[0])},
        **{name: [asdict(result) for result in of] for name, of in results.items()},
    }


def _name(job: BatchJob) -> str:
    attention = "flash attention" if job.flash_attention else "plain attention"
    return f"{attention} and {'one cache' if job.unified_cache else 'a cache for each'}"
