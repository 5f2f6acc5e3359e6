"""Measures llama.cpp through llama-cpp-python: one job from standard input, one result on standard output.

It may run in another Python than mistralet's, and so imports nothing of mistralet. It calls llama.cpp's own functions
and not the classes around them, which cost time.
"""

from __future__ import annotations

from collections.abc import Iterator

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

    llama_cpp.llama_backend_init()
    model_params = llama_cpp.llama_model_default_params()
    model_params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(job.model.encode(), model_params)
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = job.room
    params.n_batch = params.n_ubatch = _BATCH
    params.n_threads = params.n_threads_batch = job.threads
    params.flash_attn_type = (
        llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED if job.flash_attention else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
    )
    context = model and llama_cpp.llama_init_from_model(model, params)
    if not context:
        raise RuntimeError(f"llama.cpp cannot load {job.model}")
    memory = llama_cpp.llama_get_memory(context)
    vocab_size = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))

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


if __name__ == "__main__":
    main(describe, open_program)
