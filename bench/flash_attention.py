"""Finds out which of its two ways of attention llama.cpp is faster with, on this processor and a model of one shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from bench.decoder import Setup, random_ids
from bench.harness import Job, Result
from bench.progress import Steps

_CONTEXT = 512  # tokens
_DECODE_TOKENS = 32
_TRIALS = 2


@dataclass(frozen=True)
class Choice:
    """The faster way."""

    flash_attention: bool
    note: str  # how it was found


def choose(path: Path, vocab_size: int, what: str, setup: Setup, steps: Steps) -> Choice:
    """Measure both ways in turn on the model at `path`, which the note calls `what`."""
    first, warm_up, prompt, context = (
        random_ids(vocab_size, seed, count) for seed, count in enumerate((16, 16, _CONTEXT, _CONTEXT))
    )
    job = Job(str(path), setup.threads, 0.0, first, warm_up, [prompt], [context], _DECODE_TOKENS)
    results: dict[bool, list[Result]] = {True: [], False: []}
    for trial in range(_TRIALS):
        for enabled, of in results.items():
            with steps.step(f"llama.cpp {'with' if enabled else 'without'} flash attention ({trial + 1} of {_TRIALS})"):
                of.append(setup.peer.measure(replace(job, flash_attention=enabled)))
    return choice_of(results, what)


def choice_of(results: dict[bool, list[Result]], what: str) -> Choice:
    """The way that is faster in reading and answering together, by its best trial of each."""
    prefill = {enabled: max(result.prefill[0] for result in of) for enabled, of in results.items()}
    decode = {enabled: max(result.decode[0] for result in of) for enabled, of in results.items()}
    seconds = {enabled: _CONTEXT / prefill[enabled] + _DECODE_TOKENS / decode[enabled] for enabled in results}
    faster = seconds[True] <= seconds[False]
    return Choice(
        faster,
        f"llama.cpp runs {'with' if faster else 'without'} flash attention, the faster way on {what}: it reads "
        f"{_CONTEXT} tokens at {prefill[True]:.1f} tokens/s with it and {prefill[False]:.1f} without, and then answers "
        f"at {decode[True]:.1f} and {decode[False]:.1f}.",
    )
