"""The arithmetic that the speed of pictures is worked out from."""

from __future__ import annotations

import pytest

from bench.vision import gigaflop, run
from mistralet.errors import MistraletError


def test_the_largest_picture_takes_24_teraflop() -> None:
    assert gigaflop(24, 1540) == pytest.approx(24_400, rel=0.01)


def test_layers_are_alike_and_attention_grows_with_the_square_of_the_patches() -> None:
    layer = gigaflop(2, 1540) - gigaflop(1, 1540)
    assert gigaflop(24, 1540) == pytest.approx(gigaflop(1, 1540) + 23 * layer)
    half = gigaflop(2, 770) - gigaflop(1, 770)
    attention = 4 * 12_100**2 * 1024 / 1e9
    assert layer == pytest.approx(4 * (half - attention / 16) + attention)


def test_a_machine_without_a_compiler_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MistraletError, match="install a C"):
        run(threads=1, rounds=1, quick=True, layers=None)
