"""The machine in words."""

from __future__ import annotations

import pytest

from bench.machine import describe_machine, relevant_flags


@pytest.mark.parametrize(
    ("cpu_info", "flags"),
    [
        ("model name\t: X\nflags\t\t: fpu avx avx2 fma f16c avx512_vnni\n", ["avx2", "fma", "f16c", "avx512_vnni"]),
        ("Features\t: fp asimd asimddp\n", ["asimddp"]),
        ("", []),
    ],
)
def test_flags_that_matter_are_found(cpu_info: str, flags: list[str]) -> None:
    assert relevant_flags(cpu_info) == flags


def test_every_fact_is_there() -> None:
    facts = describe_machine(threads=3)
    assert {"processor", "processors", "memory", "system", "Python"} <= set(facts)
    assert "3 threads" in facts["processors"]
    assert all(facts.values())
