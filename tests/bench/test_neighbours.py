"""What others take of the processors."""

from __future__ import annotations

from collections import namedtuple

import psutil
import pytest

from bench import neighbours
from bench.neighbours import Neighbours

System = namedtuple("System", "user system idle steal")
Own = namedtuple("Own", "user system children_user children_system")


def test_what_neither_this_program_nor_those_it_started_took_is_others(monkeypatch: pytest.MonkeyPatch) -> None:
    system = iter([System(100, 10, 1000, 0), System(112, 12, 1003, 3)])  # 17 s busy
    own = iter([Own(5, 1, 0, 0), Own(6, 1, 7, 1)])  # 9 s of them
    clock = iter([50.0, 60.0])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(system))
    monkeypatch.setattr(psutil.Process, "cpu_times", lambda _: next(own))
    monkeypatch.setattr(psutil, "cpu_count", lambda: 2)
    monkeypatch.setattr(neighbours.time, "perf_counter", lambda: next(clock))
    assert Neighbours().share() == pytest.approx(8 / 20)
