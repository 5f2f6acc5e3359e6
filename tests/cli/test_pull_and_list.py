"""`mistralet pull` and `mistralet list`, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mistralet.cli import list_models as list_module
from mistralet.cli.list_models import list_models
from mistralet.cli.pull import pull
from mistralet.hub.local import LocalModel

MODELS = [
    LocalModel("org/name:Q4_K_M", Path("/models/m.gguf"), "gguf", 14_330_000_000, "small-3.2:q4"),
    LocalModel("org/other", Path("/models/other"), "native", 48_000_000_000, None),
]


def test_pull_prints_the_path_and_the_next_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "my model"
    model.mkdir()
    pull(str(model))
    assert capsys.readouterr().out == f"{model}\nNext: mistralet chat '{model}'\n"
    pull(str(model), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"name": str(model), "path": str(model)}


def test_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_module, "list_local", lambda: MODELS)
    list_models()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["name", "format", "size", "path"],
        ["small-3.2:q4", "gguf", "14.33", "GB", "/models/m.gguf"],
        ["org/other", "native", "48.00", "GB", "/models/other"],
    ]
    list_models(as_json=True)
    assert json.loads(capsys.readouterr().out)[0] == {
        "name": "org/name:Q4_K_M",
        "path": "/models/m.gguf",
        "format": "gguf",
        "size": 14_330_000_000,
        "alias": "small-3.2:q4",
    }


def test_an_empty_list_says_how_to_fill_it(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_module, "list_local", list)
    list_models()
    assert "mistralet pull small-3.2:q4" in capsys.readouterr().out
    list_models(as_json=True)
    assert json.loads(capsys.readouterr().out) == []
