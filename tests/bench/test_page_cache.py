"""What of a file is in memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench.page_cache import forget, read_through, share_in_memory


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")
@pytest.mark.parametrize("nbytes", [0, 1, 5000, 1 << 20])
def test_a_file_just_read_is_in_memory(nbytes: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(nbytes))
    read_through(path)
    assert share_in_memory(path) == 1


def test_elsewhere_nobody_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert share_in_memory(tmp_path) is None


@pytest.mark.skipif(not hasattr(os, "posix_fadvise"), reason="only some systems can be told")
def test_the_system_is_told_to_drop_all_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether it does is up to the file system: one in memory has nowhere to drop it to.
    told: list[tuple[int, ...]] = []
    monkeypatch.setattr(os, "posix_fadvise", lambda _file, *asked: told.append(asked))
    (tmp_path / "file").write_bytes(b"content")
    forget(tmp_path / "file")
    assert told == [(0, 0, os.POSIX_FADV_DONTNEED)]
