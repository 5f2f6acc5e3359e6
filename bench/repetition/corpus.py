"""The corpus: texts without end and sound texts, made by seed, and outputs of the stand-in, judged by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from bench.repetition.loops import LOOPS
from bench.repetition.sound import SOUND
from bench.repetition.tables import TABLES
from bench.repetition.words import paragraph

SOUND_KINDS: dict[str, Callable[[Random], str]] = {**TABLES, **SOUND}
SEEDS = 8  # texts of each kind
# Of a text without end.
LOOP_CHARACTERS = 60_000
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


def endless(kinds: Iterable[str] = tuple(LOOPS), seeds: Iterable[int] = range(SEEDS)) -> Iterator[Sample]:
    """Generated texts without end, each after some prose or none."""
    for name in kinds:
        for seed in seeds:
            random = Random(f"{name} {seed}")
            before = paragraph(random, random.choice([0, 2, 12])) + "\n"
            text, pieces = before, LOOPS[name](random)
            while len(text) < LOOP_CHARACTERS:
                text += "".join(islice(pieces, 50))
            yield Sample(name, seed, text, len(before))


def sound(kinds: Iterable[str] = tuple(SOUND_KINDS), seeds: Iterable[int] = range(SEEDS)) -> Iterator[Sample]:
    """Generated texts that end."""
    for name in kinds:
        for seed in seeds:
            yield Sample(name, seed, SOUND_KINDS[name](Random(f"{name} {seed}")), None)


def real() -> Iterator[Sample]:
    """What the stand-in wrote (greedy, at temperatures, under penalties)."""
    for seed, line in enumerate(REAL.read_text(encoding="utf-8").splitlines()):
        facts = json.loads(line)
        yield Sample(f"tiny, {facts['sampling']}", seed, facts["text"], facts["onset"])
