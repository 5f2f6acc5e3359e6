"""A server of `tiny` as a user starts it, for clients nobody here wrote. Run by `make conformance`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.served import Served, serving


@pytest.fixture(scope="session")
def served(tiny_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The server; by its end no request may have met a failure of ours."""
    log = tmp_path_factory.mktemp("server") / "log"
    with serving(log, tiny_path, "--served-name", "tiny", "--kv-tokens", 8192) as server:
        yield server
        assert [line for line in server.lines() if line.get("status", 200) >= 500] == []
