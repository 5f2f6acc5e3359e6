"""Measures llama.cpp through llama-cpp-python: one job from standard input, one result on standard output.

It may run in another Python than mistralet's, and so imports nothing of mistralet.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.harness import Job, Stream, main


def open_program(job: Job) -> Stream:
    """Load the model of a job with llama.cpp's own defaults (flash attention where it can, batches of 512)."""
    import llama_cpp
    import numpy as np

    model = llama_cpp.Llama(
        job.model,
        n_ctx=job.room,
        n_batch=512,
        n_threads=job.threads,
        n_threads_batch=job.threads,
        flash_attn=True,
        verbose=False,
    )

    def stream(ids: list[int], tokens: int) -> Iterator[int]:
        model.reset()
        model.eval(ids)
        for remaining in reversed(range(tokens)):
            scores = llama_cpp.llama_get_logits_ith(model.ctx, -1)
            token = int(np.ctypeslib.as_array(scores, shape=(model.n_vocab(),)).argmax())
            yield token
            if remaining:
                model.eval([token])

    return stream


if __name__ == "__main__":
    main(open_program)
