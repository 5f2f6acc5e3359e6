"""The built chat page in the package is the build of the sources in `web/`, and needs nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "web"
BUILT = ROOT / "src" / "mistralet" / "server" / "web"
SOURCES = ["index.html", "package-lock.json", "plugins", "public", "src", "tsconfig.json", "vite.config.ts"]


def hashes(folder: Path, entries: list[str]) -> dict[str, str]:
    paths = [path for entry in entries for path in [folder / entry, *(folder / entry).rglob("*")]]
    files = {path for path in paths if path.is_file() and not path.name.endswith(".test.ts")}
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture(scope="module")
def seal() -> dict[str, dict[str, str]]:
    seal: dict[str, dict[str, str]] = json.loads((BUILT / "build.json").read_text(encoding="utf-8"))
    return seal


def test_it_is_built_from_what_is_in_web(seal: dict[str, dict[str, str]]) -> None:
    assert seal["sources"] == hashes(SOURCE, SOURCES), "run `make web`"


def test_what_was_built_was_not_changed(seal: dict[str, dict[str, str]]) -> None:
    files = hashes(BUILT, ["."])
    del files["build.json"]
    assert seal["files"] == files, "run `make web`"


def test_it_is_small() -> None:
    sent = [path for path in BUILT.rglob("*") if path.suffix in {".html", ".js", ".css", ".woff2", ".svg"}]
    assert sum(path.stat().st_size for path in sent) < 400_000


def test_it_loads_nothing_from_elsewhere() -> None:
    page = (BUILT / "index.html").read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!\./)', page) == []
    assert "script-src 'self';" in page
    assert "<script>" not in page
    for style in BUILT.glob("assets/*.css"):
        assert re.findall(r"url\((?!\./)", style.read_text(encoding="utf-8")) == []


def test_the_lock_file_names_no_machine() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text(encoding="utf-8"))
    resolved = {package["resolved"] for package in lock["packages"].values() if "resolved" in package}
    assert {address for address in resolved if not address.startswith("https://registry.npmjs.org/")} == set()


def test_the_licences_are_passed_on() -> None:
    licences = (BUILT / "THIRD_PARTY.txt").read_text(encoding="utf-8")
    wanted = json.loads((SOURCE / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {name for name in wanted if not re.search(rf"^{re.escape(name)} \d", licences, re.MULTILINE)} == set()
