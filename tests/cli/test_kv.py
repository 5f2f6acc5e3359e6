"""`mistralet kv`: what it prints; what it does is tested in tests/engine/test_kv_catalogue.py."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import platformdirs
import pytest
import torch

from mistralet.cli.main import main
from mistralet.config import KVType
from mistralet.engine import KVLibrary
from mistralet.engine.kv_library import SECTION
from mistralet.model import KVCache
from mistralet.ops import BLOCK_SIZE
from support.random_models import TEXT

CACHE = KVCache(TEXT, KVType.FLOAT32, torch.device("cpu"), 8)


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


def keep(name: str | None, first: int) -> None:
    library = KVLibrary(model="small[1]")
    digests = [bytes([first, block]) for block in range(SECTION // BLOCK_SIZE)]
    library.save(digests, CACHE, list(range(len(digests))), name)
    library.close()


def run(arguments: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["mistralet", *arguments.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_list_remove_and_clear(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    keep("report", 1)
    keep(None, 2)
    assert run("kv list", monkeypatch) == 0
    heading, named, rest = capsys.readouterr().out.splitlines()
    assert heading.split() == ["name", "model", "tokens", "size", "last", "used"]
    assert named.split()[:3] == ["report", "small[1]", "128"]
    assert rest.split()[:4] == ["(no", "name)", "small[1]", "128"]
    assert run("kv list --json", monkeypatch) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["name"], first["model"], first["tokens"], second["name"]) == ("report", "small[1]", 128, None)
    assert run("kv remove report --json", monkeypatch) == 0
    assert json.loads(capsys.readouterr().out) == {"freed_bytes": first["nbytes"]}
    assert run("kv clear", monkeypatch) == 0
    assert capsys.readouterr().out.endswith(" free again.\n")
    assert run("kv list", monkeypatch) == 0
    assert capsys.readouterr().out.startswith("Nothing is kept in ")


def test_an_unknown_name_is_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    keep("report", 1)
    assert run("kv remove letter", monkeypatch) == 2
    assert capsys.readouterr().err == "mistralet: Nothing is kept under the name 'letter'; there are report.\n"
