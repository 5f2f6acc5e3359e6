"""Int4 codes turned into weights two at a time: the order of columns in the interpreter, the assembly by hand."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from mistralet.quant import Encoding, ScaledTensor, pack_half_bytes

triton = pytest.importorskip("mistralet.ops.triton")
some = importlib.import_module("mistralet.ops.triton.some_tokens")
ASSEMBLY: str = importlib.import_module("mistralet.ops.triton.codes").EIGHT_INT4.value
GENERATOR = torch.Generator().manual_seed(0)
MASK = 0xFFFFFFFF


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same numbers in whatever order tests run."""
    GENERATOR.manual_seed(0)


def randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=GENERATOR)


@pytest.mark.parametrize(("tokens", "rows", "columns", "group"), [(1, 65, 256, 64), (5, 3, 192, 32), (20, 7, 96, 8)])
@pytest.mark.parametrize("has_offsets", [False, True])
def test_the_order_of_columns(
    tokens: int, rows: int, columns: int, group: int, has_offsets: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(some, "_pairs", lambda _x, _weight: some.Pairs.PLAIN)
    codes = pack_half_bytes(torch.randint(0, 16, (rows, columns), generator=GENERATOR))
    shape = (rows, columns // group)
    weight = ScaledTensor(Encoding.INT4, codes, randn(*shape).half(), randn(*shape) if has_offsets else None)
    x = randn(tokens, columns)
    torch.testing.assert_close(triton.scaled_linear(x, weight), x @ weight.dequantize().T, rtol=1e-4, atol=1e-4)


def test_the_assembly() -> None:
    """Every number at every place, with two scales and offsets: those of the first two bytes and of the last two."""
    scales, offsets = randn(2).bfloat16(), randn(2).bfloat16()
    for number in range(16):
        numbers = [(number + 3 * place) % 16 for place in range(8)]  # of the eight columns
        word = sum(value << 4 * place for place, value in enumerate(numbers))
        inputs = [word, *(_register(part, part) for part in (*scales, *offsets))]
        registers = run(ASSEMBLY, 4, inputs)
        columns = ((0, 4), (1, 5), (2, 6), (3, 7))
        for register, pair, half in zip(registers, columns, (0, 1, 0, 1), strict=True):
            values = torch.tensor([numbers[column] - 8.0 for column in pair])
            expected = (values.double() * scales[half].double() + offsets[half].double()).bfloat16()
            assert torch.equal(_lanes(register), expected)


def _register(low: Tensor, high: Tensor) -> int:
    return _bits(low) | _bits(high) << 16


def _bits(value: Tensor) -> int:
    return int(value.view(torch.int16)) & 0xFFFF


def _lanes(register: int) -> Tensor:
    """The two bfloat16 of a register, the lower first."""
    halves = torch.tensor([register & 0xFFFF, register >> 16], dtype=torch.int32)
    return halves.to(torch.int16).view(torch.bfloat16)


def _fused(a: int, b: int, c: int) -> int:
    product = _lanes(a).double() * _lanes(b).double() + _lanes(c).double()  # exact, so it is rounded once
    return _register(*product.bfloat16())


def _looked_up(a: int, b: int, c: int, table: int) -> int:
    """Each bit by the table's, as PTX has it: the first operand's bit counts four."""
    picked = 0
    for bit in range(32):
        index = (a >> bit & 1) << 2 | (b >> bit & 1) << 1 | (c >> bit & 1)
        picked |= (table >> index & 1) << bit
    return picked


OPERATIONS: dict[str, Callable[..., int]] = {
    "mov.b32": lambda a: a,
    "shr.b32": lambda a, count: (a & MASK) >> count,
    "lop3.b32": _looked_up,
    "fma.rn.bf16x2": _fused,
}


def run(assembly: str, outputs: int, inputs: list[int]) -> list[int]:
    """What the instructions leave in the outputs."""
    held = {f"${outputs + place}": value & MASK for place, value in enumerate(inputs)}
    for line in re.findall(r"^(?!\.)(\w[\w.]* .*);$", assembly, re.MULTILINE):
        name, _, rest = line.partition(" ")
        target, *operands = rest.split(", ")
        held[target] = OPERATIONS[name](*(held[each] if each in held else int(each, 0) for each in operands))
    return [held[f"${place}"] for place in range(outputs)]
