"""How well the watchdog and a plain rule for exact patterns tell endless texts from sound ones, and what they cost.

python -m bench.repetition [--quick]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial

from rich import box
from rich.console import Console
from rich.table import Table

from bench.repetition.corpus import SEEDS, Sample, endless, real, sound
from bench.repetition.measure import Detector, Outcome, Score, measure, tokenise
from mistralet.checkpoint.gguf_file import read_gguf
from mistralet.engine.repetition import RepetitionParams, RepetitionWatchdog, TokenParts
from mistralet.hub.tiny import tiny_path
from mistralet.tokenizer import BpeTokenizer

# vLLM's rule with patterns of up to 128 tokens, at 3 repetitions, and at 10, which spares more sound texts.
_RULES = {
    "exact pattern x3": RepetitionParams("off", max_pattern_size=128, min_count=3),
    "exact pattern x10": RepetitionParams("off", max_pattern_size=128, min_count=10),
}


def main() -> None:
    """Print a table for each part of the corpus, then the cost of a token."""
    parser = argparse.ArgumentParser(prog="python -m bench.repetition", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two texts of each kind instead of eight")
    seeds = range(2 if parser.parse_args().quick else SEEDS)
    tokenizer = BpeTokenizer.from_gguf(read_gguf(tiny_path()).metadata, "tiny.gguf")
    encode = tokenizer.encode
    detectors = _detectors(tokenizer.token_bytes)
    console = Console(width=120)
    generated = [*endless(seeds=seeds), *sound(seeds=seeds)]
    parts: dict[str, Sequence[Sample]] = {
        "generated, used to choose the budgets": [sample for sample in generated if not sample.held_out],
        "generated, held out": [sample for sample in generated if sample.held_out],
        "written by the stand-in": list(real()),
    }
    for title, samples in parts.items():
        tokenised = [tokenise(sample, encode) for sample in samples]
        outcomes = {name: [measure(detector, sample) for sample in tokenised] for name, detector in detectors.items()}
        _show(console, title, outcomes)
    prose = [encode(sample.text) for sample in generated if sample.name in ("essay", "dialogue", "python_module")]
    for name, detector in detectors.items():
        console.print(f"{name}: {_microseconds(detector, prose):.1f} µs a token of sound text")


def _detectors(token_bytes: Callable[[int], bytes]) -> dict[str, Callable[[], Detector]]:
    parts = TokenParts(token_bytes)
    rules = {"watchdog": RepetitionParams("stop"), **_RULES}
    return {name: partial(RepetitionWatchdog, params, parts) for name, params in rules.items()}


def _show(console: Console, title: str, outcomes: dict[str, list[Outcome]]) -> None:
    console.print(f"\n## {title}\n", style="bold")
    table = Table(box=box.MARKDOWN, header_style="")
    for heading in ("", "endless found", "sound stopped", "recall", "precision", "tokens until found (median)"):
        table.add_column(heading, justify="right")
    for name, found in outcomes.items():
        score = Score.of(found)
        table.add_row(
            name,
            f"{score.found} of {score.endless}",
            f"{score.stopped} of {score.sound}",
            f"{score.recall:.3f}",
            f"{score.precision:.3f}",
            f"{score.median_tokens:.0f}",
        )
    console.print(table)
    for name, found in outcomes.items():
        if wrong := [f"{outcome.name} ({outcome.seed})" for outcome in found if outcome.is_wrong]:
            console.print(f"{name}, wrong: {', '.join(wrong[:12])}{' ...' if wrong[12:] else ''}")


def _microseconds(detector: Callable[[], Detector], texts: Sequence[Sequence[int]]) -> float:
    started, tokens = time.process_time(), 0
    for ids in texts:
        watchdog = detector()
        for token in ids:
            watchdog.push(token)
        tokens += len(ids)
    return (time.process_time() - started) / tokens * 1e6


if __name__ == "__main__":
    main()
