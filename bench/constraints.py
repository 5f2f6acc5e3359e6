"""`python -m bench.constraints`: answers of a random model under the schemas of `schemas.json`, checked and timed.

The model is a recurrent net with random weights at temperature 2, so that nothing but the grammar keeps it to JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mistralet.engine.constraint import (
    Constraint,
    ConstraintCompiler,
    MaskFiller,
    MaskRow,
    Matcher,
    mask_width,
    new_mask,
)
from mistralet.tokenizer import Tokenizer

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).parent / "schemas.json").read_text(encoding="utf-8"))
TEMPERATURE = 2.0
MAX_TOKENS = 200
_STATE_DIM = 8
_PRODUCTS, _ROUNDS = 8, 31  # of matrices in a stand-in for a forward pass, and of timings
_SPREAD = 3.0  # of the scores, before the temperature


@dataclass(frozen=True)
class Answer:
    """What was generated, the stop token excluded."""

    tokens: list[int]
    finish_reason: Literal["stop", "length"]
    mask_seconds: list[float] = field(default_factory=list)


class RandomModel:
    """A recurrent net over a vocabulary that was never trained."""

    def __init__(self, vocab_size: int, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        self._output = random.standard_normal((_STATE_DIM, vocab_size), dtype=np.float32)
        self._input = random.standard_normal((vocab_size, _STATE_DIM), dtype=np.float32)
        self._recurrent = random.standard_normal((_STATE_DIM, _STATE_DIM), dtype=np.float32) / _STATE_DIM**0.5

    def generate(
        self,
        matcher: Matcher,
        stop_ids: frozenset[int],
        seed: int,
        max_tokens: int = MAX_TOKENS,
        bias: Mapping[int, float] | None = None,
    ) -> Answer:
        """Draw tokens that `matcher` allows until it, or `max_tokens`, ends the answer.

        Args:
            bias: token id -> what is added to its score, divided by the temperature.
        """
        random = np.random.default_rng(seed)
        state = random.standard_normal(_STATE_DIM, dtype=np.float32)
        vocab_size = self._output.shape[1]
        row = np.zeros(mask_width(vocab_size), dtype=np.int32)
        answer = Answer([], "length")
        while len(answer.tokens) < max_tokens:
            begun = time.perf_counter()
            matcher.fill(row)
            answer.mask_seconds.append(time.perf_counter() - begun)
            allowed = allowed_tokens(row, vocab_size)
            output = self._output if allowed.size == vocab_size else self._output[:, allowed]
            scores = np.einsum("d,dv->v", state, output) * np.float32(_SPREAD / _STATE_DIM**0.5 / TEMPERATURE)
            for token, added in (bias or {}).items():
                scores[allowed == token] += added
            odds = np.exp(scores).cumsum(dtype=np.float64)
            token = int(allowed[odds.searchsorted(random.random() * odds[-1], side="right")])
            matcher.accept(token)
            if token in stop_ids:
                return Answer(answer.tokens, "stop", answer.mask_seconds)
            answer.tokens.append(token)
            state = np.tanh(self._recurrent @ state + self._input[token])
        return answer


def allowed_tokens(row: NDArray[np.int32], vocab_size: int) -> NDArray[np.intp]:
    """The ids that a row of a mask allows."""
    return np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")[:vocab_size])


def problem_of(answer: str, schema: dict[str, Any]) -> str | None:
    """Why an answer does not fit the schema it was held to, by the `jsonschema` library; None if it does."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        value = json.loads(answer, parse_float=_exact)
    except ValueError as damage:
        return str(damage)
    exact = json.loads(json.dumps(schema), parse_float=_exact)
    validator = Draft202012Validator(exact, format_checker=Draft202012Validator.FORMAT_CHECKER)
    error = best_match(validator.iter_errors(value))
    return None if error is None else error.message


def _exact(number: str) -> Decimal | float:
    """In decimal, for 0.07 is no multiple of 0.01 in binary; a binary infinity or zero for an absurd exponent."""
    try:
        return Decimal(number)
    except InvalidOperation:
        return float(number)


def text_of(tokenizer: Tokenizer, tokens: list[int]) -> str:
    """The text of an answer. Raises `UnicodeDecodeError` if it ends within a character, or was never one."""
    return b"".join(map(tokenizer.token_bytes, tokens)).decode()


def check_schema(
    compiler: ConstraintCompiler, model: RandomModel, tokenizer: Tokenizer, name: str, seeds: range
) -> tuple[Counter[str], list[str], list[float]]:
    """Answers to one schema: how many ended how, what was wrong with those that finished, and seconds per mask."""
    constraint = Constraint.json_schema(SCHEMAS[name])
    ends: Counter[str] = Counter()
    problems, seconds = [], []
    for seed in seeds:
        answer = model.generate(compiler.compile(constraint), tokenizer.stop_ids, seed)
        ends[answer.finish_reason] += 1
        seconds += answer.mask_seconds
        if answer.finish_reason == "stop":
            text = text_of(tokenizer, answer.tokens)
            if problem := problem_of(text, SCHEMAS[name]):
                problems.append(f"{name}, seed {seed}: {problem}: {text!r}")
    return ends, problems, seconds


def overlap(compiler: ConstraintCompiler, model: RandomModel, tokenizer: Tokenizer, rows: int) -> tuple[float, ...]:
    """Milliseconds of a stand-in for a forward pass, of the masks of `rows` answers, and of both at once; medians.

    The answers follow different schemas and are in the middle; every round computes their masks anew.
    """
    import torch

    matchers = []
    for index, name in zip(range(rows), cycle(SCHEMAS), strict=False):
        matcher = compiler.compile(Constraint.json_schema(SCHEMAS[name]))
        whole = model.generate(matcher, tokenizer.stop_ids, index, max_tokens=16).tokens
        matchers.append(compiler.compile(Constraint.json_schema(SCHEMAS[name])))
        for token in whole[: len(whole) // 2]:
            matchers[-1].accept(token)
    left, right = torch.randn(rows, 2048), torch.randn(2048, 8192)
    mask = new_mask(rows, tokenizer.vocab_size)
    filler = MaskFiller()

    def forward() -> None:
        for _ in range(_PRODUCTS):
            torch.mm(left, right)

    def fill(meanwhile: Callable[[], object]) -> None:
        copies = [Matcher(matcher.raw.deep_copy()) for matcher in matchers]
        work = filler.start([MaskRow(copy, row) for row, copy in enumerate(copies)], mask)
        meanwhile()
        work.wait()

    ways = (forward, lambda: fill(lambda: None), lambda: fill(forward))
    rounds = [[_seconds(way) * 1e3 for way in ways] for _ in range(_ROUNDS)]
    filler.close()
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _tokenizer(path: Path | None) -> Tokenizer:
    from mistralet.checkpoint.gguf_file import read_gguf
    from mistralet.hub.tiny import tiny_path
    from mistralet.tokenizer import TekkenTokenizer, tokenizer_from_gguf

    if path is None:
        return tokenizer_from_gguf(read_gguf(tiny_path()).metadata, "tiny", None)
    return TekkenTokenizer.from_file(path)


def main() -> None:
    """Print how many answers were whole, and the time of compilation and of a mask."""
    parser = argparse.ArgumentParser(prog="python -m bench.constraints", description=main.__doc__)
    parser.add_argument("--tekken", type=Path, help="a tekken.json; by default the vocabulary of tiny is used")
    parser.add_argument("--answers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="of the first answer to each schema")
    arguments = parser.parse_args()
    tokenizer = _tokenizer(arguments.tekken)
    compiler = ConstraintCompiler(tokenizer, tokenizer.stop_ids)
    model = RandomModel(tokenizer.vocab_size)
    print(f"{tokenizer.name}, {tokenizer.vocab_size} tokens")
    print(f"first constraint: {_seconds(lambda: compiler.compile(Constraint.json_object())):.2f} s")
    compile_seconds = {
        name: _seconds(lambda: compiler.compile(Constraint.json_schema(SCHEMAS[name])))  # noqa: B023 # called at once
        for name in SCHEMAS
    }
    slowest = max(compile_seconds, key=lambda name: compile_seconds[name])
    print(
        f"compilation: {statistics.median(compile_seconds.values()) * 1e3:.2f} ms in the middle, "
        f"{compile_seconds[slowest] * 1e3:.1f} ms at most ({slowest})"
    )
    ends: Counter[str] = Counter()
    problems, seconds = [], []
    seeds = range(arguments.seed, arguments.seed + arguments.answers // len(SCHEMAS))
    for name in SCHEMAS:
        of_one = check_schema(compiler, model, tokenizer, name, seeds)
        ends += of_one[0]
        problems += of_one[1]
        seconds += of_one[2]
    for rows in (1, 8, 32):
        alone, masks, both = overlap(compiler, model, tokenizer, rows)
        print(f"{rows} rows: {alone:.2f} ms of matrix products, {masks:.2f} of masks, {both:.2f} of both at once")
    compiler.close()
    print(f"{ends.total()} answers: {ends['stop']} finished, of them {len(problems)} not fitting; {ends['length']} cut")
    print(*problems, sep="\n", end="\n" if problems else "")
    middle, late, last = np.quantile(np.array(seconds) * 1e6, [0.5, 0.99, 1.0])
    print(f"{len(seconds)} masks: {middle:.0f} us in the middle, 99 of 100 under {late:.0f}, {last:.0f} at most")


if __name__ == "__main__":
    main()
