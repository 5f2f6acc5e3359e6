"""Measures llama.cpp through llama-cpp-python: one job from standard input, one result on standard output.

It may run in another Python than mistralet's, and so imports nothing of mistralet. It calls llama.cpp's own functions
and not the classes around them, which cost time.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from bench import batched
from bench.batched import BatchJob, BatchResult
from bench.harness import Job, Stream, main

_BATCH = 512  # tokens that go through the model together


def describe() -> dict[str, str]:
    """The version, and the instruction sets and kernels llama.cpp was built with."""
    import llama_cpp

    return {
        "llama-cpp-python": llama_cpp.__version__,
        "llama.cpp system info": llama_cpp.llama_print_system_info().decode().strip(),
    }


def open_program(job: Job) -> Stream:
    """Load the model of a job with llama.cpp's own defaults: mapped, its matrices repacked for this processor."""
    import llama_cpp
    import numpy as np

    context = _open_context(job.model, job.threads, job.flash_attention, n_ctx=job.room)
    memory = llama_cpp.llama_get_memory(context)
    vocab_size = _vocab_size(context)

    def read(ids: list[int]) -> None:
        tokens = (llama_cpp.llama_token * len(ids))(*ids)
        if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, len(ids))) != 0:
            raise RuntimeError("llama.cpp cannot read the tokens")

    def stream(ids: list[int], tokens: int) -> Iterator[int]:
        llama_cpp.llama_memory_clear(memory, False)
        for begin in range(0, len(ids), _BATCH):
            read(ids[begin : begin + _BATCH])
        for remaining in reversed(range(tokens)):
            scores = llama_cpp.llama_get_logits_ith(context, -1)
            token = int(np.ctypeslib.as_array(scores, shape=(vocab_size,)).argmax())
            yield token
            if remaining:
                read([token])

    return stream


def measure_batch(job: BatchJob) -> BatchResult:
    """Write all answers of a job at once, as llama-batched-bench does: a step is one batch, with a token of each."""
    import llama_cpp
    import numpy as np

    answers: list[list[int]] = [[] for _ in job.prompts]
    context = _open_context(
        job.model,
        job.threads,
        job.flash_attention,
        n_ctx=job.room * len(answers) + 256 * len(answers),  # each sequence's share is rounded up to 256
        n_seq_max=len(answers),
        kv_unified=job.unified_cache,
    )
    vocab_size = _vocab_size(context)
    batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)

    def put(token: int, position: int, sequence: int, is_last: bool) -> None:
        place = batch.n_tokens
        batch.token[place], batch.pos[place], batch.logits[place] = token, position, is_last
        batch.n_seq_id[place], batch.seq_id[place][0] = 1, sequence
        batch.n_tokens += 1

    def run(count: int) -> Any:
        """Scores `[count, vocab_size]` of the tokens that were put in with `is_last`, in their order."""
        if llama_cpp.llama_decode(context, batch) != 0:
            raise RuntimeError("llama.cpp cannot read the tokens")
        batch.n_tokens = 0
        if not count:
            return []
        return np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), shape=(count, vocab_size))

    prompts = [
        (token, position, sequence, position == len(ids) - 1)
        for sequence, ids in enumerate(job.prompts)
        for position, token in enumerate(ids)
    ]
    begun = time.perf_counter()
    for begin in range(0, len(prompts), _BATCH):
        part = prompts[begin : begin + _BATCH]
        for place in part:
            put(*place)
        complete = [sequence for _, _, sequence, is_last in part if is_last]
        for sequence, scores in zip(complete, run(len(complete)), strict=True):
            answers[sequence].append(int(scores.argmax()))
    read = time.perf_counter()
    for _ in range(job.decode_tokens - 1):
        for sequence, answer in enumerate(answers):
            put(answer[-1], len(job.prompts[sequence]) + len(answer) - 1, sequence, True)
        for answer, token in zip(answers, run(len(answers)).argmax(axis=1).tolist(), strict=True):
            answer.append(token)
    ended = time.perf_counter()
    return BatchResult(answers, (job.decode_tokens - 1) * len(answers) / (ended - read), ended - begun)


def _open_context(model_path: str, threads: int, flash_attention: bool, **settings: int) -> Any:
    import llama_cpp

    llama_cpp.llama_backend_init()
    model_params = llama_cpp.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(model_path.encode(), model_params)
    params = llama_cpp.llama_context_default_params()
    params.n_batch = params.n_ubatch = _BATCH
    params.n_threads = params.n_threads_batch = threads
    params.flash_attn_type = (
        llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash_attention else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    for name, value in settings.items():
        setattr(params, name, value)
    context = model and llama_cpp.llama_init_from_model(model, params)
    if not context:
        raise RuntimeError(f"llama.cpp cannot load {model_path}")
    return context


def _vocab_size(context: Any) -> int:
    import llama_cpp

    model = llama_cpp.llama_get_model(context)
    return int(llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model)))


if __name__ == "__main__":
    if sys.argv[1:] == ["batched"]:
        batched.main(measure_batch)
    else:
        main(describe, open_program)
