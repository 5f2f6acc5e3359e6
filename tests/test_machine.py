"""Sizes are read and written as people do, and memory is what this process may use."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from mistralet import machine
from mistralet.errors import UsageError
from mistralet.machine import available_cpus, format_bytes, gpus, parse_size, ram


@pytest.mark.parametrize(
    ("text", "nbytes"),
    [
        ("24GB", 24 * 10**9),
        ("24 GiB", 24 * 2**30),
        ("1.5gb", 1_500_000_000),
        ("512MiB", 512 * 2**20),
        ("2T", 2 * 10**12),
        ("1000", 1000),
        ("7b", 7),
    ],
)
def test_sizes_are_read(text: str, nbytes: int) -> None:
    assert parse_size(text) == nbytes


@pytest.mark.parametrize("text", ["", "much", "-1GB", "1e9", "GB", "24XB", "1,5GB", "I", "1I"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.00 kB"), (14_326_026_240, "14.33 GB"), (1_500_000, "1.50 MB")],
)
def test_bytes_are_shown_in_the_powers_of_ten_files_are_advertised_in(nbytes: int, text: str) -> None:
    assert format_bytes(nbytes) == text


def test_ram_is_the_containers_limit_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "_CGROUP_LIMITS", (str(limit),))
    assert ram().nbytes == psutil.virtual_memory().total
    limit.write_text("max\n")
    assert ram().nbytes == psutil.virtual_memory().total
    limit.write_text("1048576\n")
    assert ram().nbytes == 1 << 20


def test_there_is_at_least_one_processor() -> None:
    assert available_cpus() >= 1


def fake_driver_tool(folder: Path, script: str) -> None:
    tool = folder / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def test_gpus_are_those_the_driver_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    fake_driver_tool(tmp_path, "echo 'NVIDIA H200, 143771'; echo 'NVIDIA RTX 4090, 24564'")
    assert [(gpu.name, gpu.nbytes >> 20) for gpu in gpus()] == [("NVIDIA H200", 143771), ("NVIDIA RTX 4090", 24564)]


@pytest.mark.parametrize("script", ["exit 9", "echo no devices", "echo 'NVIDIA X, [N/A]'"])
def test_a_driver_without_gpus_is_no_error(script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    fake_driver_tool(tmp_path, script)
    assert gpus() == []


def test_without_a_driver_there_are_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus() == []
