"""Measures mistralet: one job from standard input, one result on standard output (see `harness`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from bench.harness import Job, Stream, main


def open_program(job: Job) -> Stream:
    """Load the model of a job as the command line does."""
    os.environ["MISTRALET_THREADS"] = str(job.threads)  # read when mistralet is imported
    import torch

    from mistralet.engine import Engine, SamplingParams, load
    from mistralet.model import Prompt

    torch.set_num_threads(job.threads)
    # No token ends an answer: every answer has the length that was asked for.
    engine = Engine(load(Path(job.model)).model, stop_ids=frozenset())

    def stream(ids: list[int], tokens: int) -> Iterator[int]:
        # The engine keeps what a prompt shares with the last one; an unlike first token makes that nothing.
        list(engine.generate(Prompt([(ids[0] + 1) % engine.model.config.vocab_size]), SamplingParams(0, 1, seed=0)))
        return iter(engine.generate(Prompt(list(ids)), SamplingParams(0, tokens, seed=0)))

    return stream


if __name__ == "__main__":
    main(open_program)
