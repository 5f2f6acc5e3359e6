"""One matrix in bfloat16 and in FP8, as the CPU kernels multiply it, and as floats: `python -m bench.matrix_types`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from statistics import median

import torch
from torch import Tensor

from bench.machine import describe_machine
from mistralet.config import Rounding
from mistralet.errors import UsageError
from mistralet.native import kernels
from mistralet.ops import Matrix, linear
from mistralet.quant import ScaledTensor, round_weight

ROWS, COLUMNS = 32_768, 5_120
GROUP = 128  # columns that share a scale
TOKENS = (1, 2, 4, 8, 64)
ROUNDS = 7
_BYTES = 1 << 30  # of the copies of a matrix, multiplied in turn: more than a processor keeps
_BASE = "bfloat16"
_BEFORE = "FP8 as floats"


def matrices(rows: int, columns: int, nbytes: int) -> dict[str, list[Matrix]]:
    """Copies of a matrix in each type; FP8 also in a form that the kernels do not take."""
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)) * 0.02
    fp8 = round_weight(weight, Rounding.FP8)
    halves = weight.to(torch.bfloat16)
    floats: list[Matrix] = [halves.clone() for _ in range(_copies(halves.nbytes, nbytes))]
    codes = [replace(fp8, codes=fp8.codes.clone()) for _ in range(_copies(fp8.nbytes, nbytes))]
    grouped = fp8.scales.repeat(1, columns // GROUP)
    return {
        _BASE: floats,
        "FP8, scales of rows": [*codes],
        f"FP8, scales of {GROUP} columns": [replace(each, scales=grouped) for each in codes],
        _BEFORE: [_unknown_to_kernels(each) for each in codes],
    }


def _copies(nbytes: int, wanted: int) -> int:
    return max(1, wanted // nbytes)


def _unknown_to_kernels(weight: ScaledTensor) -> ScaledTensor:
    return replace(weight, scales=weight.scales.to(torch.float64))


def milliseconds(kinds: dict[str, list[Matrix]], x: Tensor, rounds: int) -> dict[str, float]:
    """Medians for a product of each kind with `x`, in turn."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(-1, rounds):  # once to warm up
        for kind, copies in kinds.items():
            start = time.perf_counter()
            linear(x, copies[number % len(copies)])
            if number >= 0:
                times[kind].append(time.perf_counter() - start)
    return {kind: median(of) * 1e3 for kind, of in times.items()}


def table(kinds: dict[str, list[Matrix]], tokens: Sequence[int], threads: Sequence[int], rounds: int) -> Iterator[str]:
    """Its lines."""
    if kernels is None:
        raise UsageError("There are no native kernels here to measure.")
    columns = next(iter(kinds.values()))[0].shape[1]
    yield f"| instruction set, threads, tokens | {_BASE}, ms |" + "".join(
        f" {kind} |" for kind in kinds if kind != _BASE
    )
    yield "| --- |" + " --- |" * len(kinds)
    for instruction_set, count, rows in product(kernels.instruction_sets(), threads, tokens):
        if instruction_set == "portable":
            continue
        kernels.configure(count, instruction_set)
        torch.set_num_threads(count)
        took = milliseconds(kinds, torch.randn(rows, columns), rounds)
        base = took.pop(_BASE)
        cells = "".join(f" {of:.1f} ({base / of:.2f}) |" for of in took.values())
        yield f"| {instruction_set}, {count}, {rows} | {base:.1f} |{cells}"


def main() -> None:
    """Print a table: medians, and in brackets how many times as fast as bfloat16."""
    print(", ".join(describe_machine(torch.get_num_threads()).values()))
    for line in table(matrices(ROWS, COLUMNS, _BYTES), TOKENS, (1, 2), ROUNDS):
        print(line, flush=True)


if __name__ == "__main__":
    main()
