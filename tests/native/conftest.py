"""What tests choose of the kernels holds for themselves alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mistralet.native import kernels


@pytest.fixture(autouse=True)
def default_configuration() -> Iterator[None]:
    yield
    if kernels is not None:
        kernels.configure(2, kernels.instruction_sets()[0])
