"""Measures mistralet: one job from standard input, one result on standard output (see `harness`)."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bench import batched
from bench.batched import BatchJob, BatchResult
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

        from mistralet.engine import Engine, EngineOptions, Request, SamplingParams, load
        from mistralet.model import Prompt

        torch.set_num_threads(job.threads)
        loaded = load(Path(job.model))
    # Nothing is guessed ahead: the other programs do not, and what the model makes of random ids repeats itself.
    engine = Engine(loaded.model, loaded.tokenizer, EngineOptions(prompt_lookup=False))

    def stream(ids: list[int], tokens: int) -> Iterator[int]:
        # No token ends an answer: every answer has the length that was asked for.
        params = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True, seed=0)
        for output in engine.stream(Request(Prompt(list(ids)), params)):
            yield from output.token_ids

    return stream


def measure_batch(job: BatchJob) -> BatchResult:
    """Write all answers of a job, as many at once as it says. Nothing is guessed ahead, and no answer is cut short."""
    os.environ["MISTRALET_THREADS"] = str(job.threads)
    import torch

    from mistralet.engine import Engine, EngineOptions, RepetitionParams, Request, SamplingParams, load
    from mistralet.model import Prompt

    torch.set_num_threads(job.threads)
    loaded = load(Path(job.model))
    options = EngineOptions(
        kv_tokens=(job.room + 64) * len(job.prompts), max_sequences=job.at_once, prompt_lookup=False
    )
    engine = Engine(loaded.model, loaded.tokenizer, options)
    params = SamplingParams(temperature=0, max_tokens=job.decode_tokens, ignore_eos=True, seed=0)
    requests = [Request(Prompt(ids), params, repetition=RepetitionParams("off")) for ids in job.prompts]
    answers: dict[str, list[int]] = {request.id: [] for request in requests}
    begun = time.perf_counter()
    for request in requests:
        engine.add(request)
    tokens, seconds = 0, 0.0
    while engine.has_work:
        step_begun = time.perf_counter()
        outputs = engine.step()
        # A step in which a prompt was read, or in which an answer waited for its turn, tells nothing of decoding.
        if sum(bool(output.token_ids) and len(answers[output.request_id]) > 0 for output in outputs) == job.at_once:
            seconds += time.perf_counter() - step_begun
            tokens += sum(len(output.token_ids) for output in outputs)
        for output in outputs:
            answers[output.request_id] += output.token_ids
    ended = time.perf_counter()
    engine.close()
    return BatchResult(list(answers.values()), tokens / seconds, ended - begun)


if __name__ == "__main__":
    if sys.argv[1:] == ["batched"]:
        batched.main(measure_batch)
    else:
        main(describe, open_program)
