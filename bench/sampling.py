"""What choosing the tokens of a batch costs: `python -m bench.sampling`."""

from __future__ import annotations

import statistics
import time
from typing import Any

import torch

from mistralet.engine.sampling import Sampler, SamplerRow, SamplingParams

VOCABULARIES = (49_152, 131_072)  # of the stand-in, of Mistral Small 3
BATCHES = (1, 8, 32)
SETTINGS: dict[str, dict[str, Any]] = {
    "greedy": {"temperature": 0},
    "temperature 0.15": {"temperature": 0.15},
    "temperature 1": {"temperature": 1},
    "top-p 0.9": {"temperature": 1, "top_p": 0.9},
    "top-k 40, top-p 0.95": {"temperature": 0.8, "top_k": 40, "top_p": 0.95},
    "min-p 0.05": {"temperature": 1, "min_p": 0.05},
    "penalties": {"temperature": 1, "repetition_penalty": 1.1, "frequency_penalty": 0.5},
    "DRY": {"temperature": 1, "dry_multiplier": 0.8},
    "5 logprobs": {"temperature": 1, "logprobs": 5},
}


def random_logits(rows: int, vocab_size: int) -> torch.Tensor:
    """Scores about as peaked as those of a language model: deviation 3.75, and some likely tokens 10 to 16 above."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, vocab_size, generator=generator) * 3.75
    likely = torch.randint(vocab_size, (rows, 64), generator=generator)
    return logits.scatter_(1, likely, 10 + 6 * torch.rand(rows, 64, generator=generator))


def milliseconds(logits: torch.Tensor, changes: dict[str, Any], repetitions: int = 40) -> float:
    """Median time of a step of the sampler, each row with a sequence of 1,500 tokens behind it."""
    prompt, output = list(range(500)), list(range(400, 1400))
    rows = [SamplerRow(SamplingParams(seed=seed, **changes), prompt, output) for seed in range(len(logits))]
    sampler, times = Sampler(), []
    for _ in range(repetitions):
        start = time.perf_counter()
        sampler(logits, rows)
        times.append(time.perf_counter() - start)
    return statistics.median(times[repetitions // 8 :]) * 1e3


def main() -> None:
    """Print a table of milliseconds."""
    print("| vocabulary | setting |" + "".join(f" {batch} rows |" for batch in BATCHES))
    print("| --- | --- |" + " --- |" * len(BATCHES))
    for vocab_size in VOCABULARIES:
        logits = random_logits(max(BATCHES), vocab_size)
        for name, changes in SETTINGS.items():
            cells = "".join(f" {milliseconds(logits[:batch], changes):.3f} |" for batch in BATCHES)
            print(f"| {vocab_size:,} | {name} |{cells}", flush=True)


if __name__ == "__main__":
    main()
