"""The corpus: texts without end and sound texts, made by seed, and outputs of the stand-in, judged by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from bench.repetition.loops import LOOPS
from bench.repetition.sound import SOUND
from bench.repetition.tables import TABLES
from bench.repetition.words import paragraph

SEEDS = 8  # texts of each kind
LOOP_CHARACTERS = 40_000  # of a text without end: so much a detector gets to see
REAL = Path(__file__).parents[2] / "tests" / "engine" / "repetition" / "corpus" / "tiny_outputs.jsonl"


@dataclass(frozen=True)
class Sample:
    """One text."""

    name: str
    seed: int
    text: str
    onset: int | None  # character at which it begins to repeat without end; None: it is sound

    @property
    def held_out(self) -> bool:
        """Whether it was kept from the choice of the budgets."""
        return self.seed % 2 == 1


def endless() -> Iterator[Sample]:
    """Generated texts without end, each after some prose or none."""
    for name, loop in LOOPS.items():
        for seed in range(SEEDS):
            random = Random(f"{name} {seed}")
            before = paragraph(random, random.choice([0, 2, 12])) + "\n"
            text, pieces = before, loop(random)
            while len(text) < LOOP_CHARACTERS:
                text += "".join(islice(pieces, 50))
            yield Sample(name, seed, text, len(before))


def sound() -> Iterator[Sample]:
    """Generated texts that end."""
    kinds: dict[str, Callable[[Random], str]] = {**TABLES, **SOUND}
    for name, kind in kinds.items():
        for seed in range(SEEDS):
            yield Sample(name, seed, kind(Random(f"{name} {seed}")), None)


def real() -> Iterator[Sample]:
    """What the stand-in wrote (greedy, at temperatures, under penalties)."""
    for seed, line in enumerate(REAL.read_text(encoding="utf-8").splitlines()):
        facts = json.loads(line)
        yield Sample(f"tiny, {facts['sampling']}", seed, facts["text"], facts["onset"])
