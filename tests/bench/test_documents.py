"""What reads PDF files beside mistralet is told of when it cannot be measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.documents import _measured_by
from mistralet.errors import UsageError


def test_a_python_that_does_not_have_it_is_told_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"No module named 'unheard_of'.*-m pip install unheard_of"):
        _measured_by("unheard_of", sys.executable, tmp_path)


def test_what_is_no_python_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be run"):
        _measured_by("pymupdf", str(tmp_path / "python"), tmp_path)
