"""A file is whole or not there, whatever fails while it is written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mistralet.files import write_atomically


class FaultError(Exception):
    """What the tests make go wrong."""


def fail(*_: object, **__: object) -> None:
    raise FaultError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("data", [b"", b"new", bytes(1 << 20)], ids=["empty", "short", "long"])
@pytest.mark.parametrize("before", [None, b"old"], ids=["new", "over"])
def test_the_file_holds_the_data_and_nothing_else_is_left(data: bytes, before: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    if before is not None:
        path.write_bytes(before)
    write_atomically(path, data)
    assert path.read_bytes() == data
    assert names(tmp_path) == ["file.json"]


@pytest.mark.parametrize("broken", ["pathlib.Path.open", "shutil.copymode", "os.fsync", "pathlib.Path.replace"])
def test_a_fault_leaves_the_old_file_and_no_temporary_one(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"old")
    with monkeypatch.context() as faulty:
        faulty.setattr(broken, fail)
        with pytest.raises(FaultError):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.json"]


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as faulty:
        faulty.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file.json"]


def test_the_data_is_on_the_disk_before_the_name_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, seen = tmp_path / "file.json", []
    sync = os.fsync

    def record(handle: int) -> None:
        seen.append((path.exists(), os.fstat(handle).st_size))
        sync(handle)

    monkeypatch.setattr(os, "fsync", record)
    write_atomically(path, b"12345")
    assert seen == [(False, 5)]


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 255)
    write_atomically(path, b"new")
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("where", ["gone/file.json", "folder", "x" * 300])
def test_a_place_that_cannot_be_written_is_an_os_error(where: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match=r"\[Errno"):
        write_atomically(tmp_path / where, b"new")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(os.name != "posix", reason="permission bits are those of POSIX")
def test_the_file_has_the_permissions_of_one_written_plainly(tmp_path: Path) -> None:
    plain, atomic = tmp_path / "plain", tmp_path / "atomic"
    plain.write_bytes(b"")
    write_atomically(atomic, b"")
    assert stat.S_IMODE(atomic.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.skipif(os.name != "posix", reason="permission bits are those of POSIX")
def test_a_file_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"old")
    path.chmod(0o600)
    write_atomically(path, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
