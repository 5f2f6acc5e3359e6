"""What of a file is in memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.page_cache import read_through, share_in_memory


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
