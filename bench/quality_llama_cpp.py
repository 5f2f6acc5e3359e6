"""Scores from llama.cpp through llama-cpp-python: one job from standard input, its scores into a file.

It may run in another Python than mistralet's, and so imports nothing of mistralet.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Read a job (one line of JSON), save float32 `[tokens, vocab_size]` as .npy where it says, print the version."""
    import llama_cpp
    import numpy as np

    job = json.loads(sys.stdin.readline())
    ids = job["ids"]
    # Its own defaults, as where its speed is measured: flash attention, keys and values in float16, batches of 512.
    model = llama_cpp.Llama(
        job["model"],
        n_ctx=len(ids),
        n_batch=512,
        n_threads=job["threads"],
        n_threads_batch=job["threads"],
        flash_attn=True,
        logits_all=True,
        verbose=False,
    )
    model.eval(ids)
    np.save(job["scores"], np.asarray(model.scores[: len(ids)], np.float32))
    print(json.dumps({"version": llama_cpp.__version__}), flush=True)


if __name__ == "__main__":
    main()
