"""Many answers at once: what a program is asked for, and what it says. Needs nothing but Python (see `harness`).

All prompts are read first; then each step goes over all answers, and the clock runs while each of them gets on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class BatchJob:
    """What to measure."""

    model: str  # path
    threads: int
    prompts: list[list[int]]  # ids; one for each answer
    decode_tokens: int  # of each answer, chosen greedily
    at_once: int  # answers that are written at the same time; the peer writes all
    flash_attention: bool = True  # for programs that have it both ways
    unified_cache: bool = False  # one cache for all answers, for programs that have it both ways

    @property
    def room(self) -> int:
        """Tokens that the longest answer has with its prompt."""
        return max(map(len, self.prompts)) + self.decode_tokens


@dataclass(frozen=True)
class BatchResult:
    """What was measured."""

    answers: list[list[int]]  # ids
    decode: float  # tokens per second of all answers together, while all of them are written
    seconds: float  # from the first prompt to the last token


def main(measure: Callable[[BatchJob], BatchResult]) -> None:
    """Print the result of a job, one line of JSON each; the job is on standard input."""
    print(json.dumps(asdict(measure(BatchJob(**json.loads(sys.stdin.readline()))))), flush=True)
