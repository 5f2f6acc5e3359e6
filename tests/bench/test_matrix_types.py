"""The benchmark of types of matrices."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bench.matrix_types import matrices, table
from mistralet.native import kernels
from mistralet.ops.linear import are_native

if kernels is None:
    pytest.skip("the native kernels were not built", allow_module_level=True)


@pytest.fixture(autouse=True)
def default_configuration() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    kernels.configure(2, kernels.instruction_sets()[0])


def test_all_but_the_last_are_for_the_kernels() -> None:
    kinds = matrices(32, 256, 1 << 15)
    assert [are_native(torch.zeros(1, 256), copies) for copies in kinds.values()] == [True, True, True, False]
    assert [len(copies) for copies in kinds.values()] == [2, 3, 3, 3]


def test_every_setting_has_a_row() -> None:
    assert len(list(table(matrices(32, 256, 1 << 14), (1, 13), (1,), 2))) == 2 + 2 * (
        len(kernels.instruction_sets()) - 1
    )
