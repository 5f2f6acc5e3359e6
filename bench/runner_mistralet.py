"""Measures mistralet: one job from standard input, one result on standard output (see `harness`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bench.harness import Job, Stream, main


def describe() -> dict[str, str]:
    """The versions of what computes, and the instruction set of the kernels."""
    from mistralet import __version__
    from mistralet.native import kernels, missing_because

    forced = os.environ.get("MISTRALET_NATIVE")
    return {
        "mistralet": __version__,
        "kernels": (forced or kernels.instruction_sets()[0]) if kernels else f"none ({missing_because})",
        "torch": version("torch"),
    }


def open_program(job: Job) -> Stream:
    """Load the model of a job as the command line does."""
    os.environ["MISTRALET_THREADS"] = str(job.threads)  # read when mistralet is imported
    from mistralet.checkpoint.packed_copy import map_ahead
    from mistralet.imports import uncollected

    map_ahead(Path(job.model))
    with uncollected():
        import torch

        from mistralet.engine import Engine, Request, SamplingParams, load
        from mistralet.model import Prompt

        torch.set_num_threads(job.threads)
        loaded = load(Path(job.model))
    engine = Engine(loaded.model, loaded.tokenizer)

    def stream(ids: list[int], tokens: int) -> Iterator[int]:
        # No token ends an answer: every answer has the length that was asked for.
        params = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True, seed=0)
        for output in engine.stream(Request(Prompt(list(ids)), params)):
            yield from output.token_ids

    return stream


if __name__ == "__main__":
    main(describe, open_program)
