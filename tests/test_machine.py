"""Sizes in words, and the memory and processors of a machine, whatever the machine of the test has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mistralet import machine
from mistralet.errors import UsageError
from mistralet.machine import Memory, available_cpus, format_bytes, free_ram, gpus, parse_size, ram


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("24GB", 24 * 10**9),
        ("24GiB", 24 * 2**30),
        ("24 GB", 24 * 10**9),
        (" 24gib ", 24 * 2**30),
        ("24G", 24 * 10**9),
        ("24Gi", 24 * 2**30),
        ("1.5TB", 1_500_000_000_000),
        ("0.5 MiB", 2**19),
        ("640KB", 640_000),
        ("1000", 1000),
        ("1000B", 1000),
        ("0GB", 0),
        ("8.3GB", 8_300_000_000),
        ("999999999999TB", 999_999_999_999 * 10**12),
    ],
)
def test_a_size_is_read_to_the_byte(text: str, nbytes: int) -> None:
    assert parse_size(text) == nbytes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GB",
        "24 apples",
        "-1GB",
        "+1GB",
        "1e9",
        "24PB",
        "1,5GB",
        ".5GB",
        "5.GB",
        "24IB",
        "24 G B",
        "9" * 400,
        "٣GB",
        "nan",
    ],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no size; write for example 24GB or 24GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (163_840, "163.84 kB"),
        (1_500_000, "1.50 MB"),
        (48_022_722_560, "48.02 GB"),
        (10**15, "1000000.00 GB"),
    ],
)
def test_bytes_are_written_as_files_are_advertised(nbytes: int, text: str) -> None:
    assert format_bytes(nbytes) == text


@pytest.fixture
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files in which a container states its limit on memory; there are none yet."""
    files = [tmp_path / "memory.max", tmp_path / "memory.limit_in_bytes"]
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", tuple(map(str, files)))
    return files


def test_without_a_container_the_ram_is_the_machines(limits: list[Path]) -> None:
    whole = ram()
    assert whole.name == "RAM"
    assert whole.nbytes > 1 << 20
    limits[0].write_text("max\n")
    assert ram() == whole


@pytest.mark.parametrize("version", [0, 1])
def test_a_containers_limit_bounds_the_ram(version: int, limits: list[Path]) -> None:
    whole = ram().nbytes
    limits[version].write_text("1048576\n")
    assert ram() == Memory("RAM", 1 << 20)
    limits[version].write_text(f"{1 << 62}\n")  # as the first version of cgroups says "no limit"
    assert ram().nbytes == whole


def test_a_limit_that_cannot_be_read_is_none(limits: list[Path]) -> None:
    whole = ram()
    limits[0].mkdir()
    limits[1].write_text("")
    assert ram() == whole


@pytest.mark.skipif(not hasattr(machine.os, "sched_getaffinity"), reason="only Linux binds processes to processors")
@pytest.mark.parametrize(
    ("quota", "cpus"),
    [(None, 6), ("max 100000\n", 6), ("250000 100000\n", 2), ("50000 100000\n", 1), ("900000 100000\n", 6), ("x", 6)],
)
def test_processors_are_those_of_the_process_or_of_its_quota(
    quota: str | None, cpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota)
    monkeypatch.setattr(machine, "_CGROUP_CPU_QUOTA", str(file))
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: range(6))
    assert available_cpus() == cpus


def nvidia_smi(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """A program of that name, alone on the path."""
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_gpus_are_those_the_driver_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path, monkeypatch, "print('NVIDIA H100 80GB HBM3, 81559\\nOdd, name, 24576')")
    assert gpus() == [Memory("NVIDIA H100 80GB HBM3", 81_559 << 20), Memory("Odd, name", 24_576 << 20)]


def test_the_driver_is_asked_for_names_and_bare_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path, monkeypatch, "print(' '.join(sys.argv[1:]).replace(',', ';') + ', 1')")
    assert gpus() == [Memory("--query-gpu=name;memory.total --format=csv;noheader;nounits", 1 << 20)]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "print('No devices were found')",
        "print('NVIDIA GB10, [N/A]')",
        "print('Tesla, ²')",
        "print('Tesla, -5')",
        "sys.exit(9)",
        "print('Tesla, 100'); sys.exit(1)",
        r"sys.stdout.buffer.write(b'\xff\xfe')",
    ],
)
def test_a_driver_that_lists_nothing_means_no_gpu(body: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path, monkeypatch, body)
    assert gpus() == []


def test_without_the_drivers_tool_there_is_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == []


def test_a_tool_that_cannot_run_means_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvidia_smi(tmp_path, monkeypatch, "")
    (tmp_path / "nvidia-smi").write_text("#!/nowhere/interpreter\n")
    assert gpus() == []


def test_free_memory_is_some_of_all() -> None:
    assert 0 < free_ram() <= ram().nbytes
