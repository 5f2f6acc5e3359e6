"""The packed copy of a model's file: its name, and mapping it before anything can use it. Needs no torch.

A start spends a second importing torch, on one processor; meanwhile another can bring the copy's pages near.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import mmap
from collections.abc import Iterable
from pathlib import Path
from threading import Thread

import platformdirs

from mistralet.machine import free_ram
from mistralet.native import kernels

_mapped_ahead: dict[Path, mmap.mmap] = {}


def packed_folder() -> Path:
    """Where packed copies lie; a name begins with the `digest` of the copied files' paths."""
    return platformdirs.user_cache_path("mistralet") / "packed"


def digest(value: object) -> str:
    """A short name for a JSON value."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def source_digest(files: Iterable[Path]) -> str:
    """What the names of the copies of these files begin with."""
    return digest(sorted(str(file.resolve()) for file in files))


def map_ahead(path: Path) -> None:
    """Map the packed copy of the GGUF file at `path`, if there is one, and have its pages brought near meanwhile.

    A prompt then finds them without page faults. Of a copy that is not in memory, the disk reads first what is used
    first, since matrices lie in the order of their use. A copy larger than the free memory is left alone.
    """
    if kernels is None:
        return
    for copy in packed_folder().glob(f"{source_digest([path])}-*.bin"):
        try:
            buffer = _map(copy)
        except (OSError, ValueError):  # it has just been removed, or is empty
            continue
        _mapped_ahead[copy] = buffer
        if len(buffer) < free_ram():
            Thread(target=_populate, args=(buffer,), daemon=True).start()


def map_copy(path: Path) -> mmap.mmap:
    """The copy at `path` as memory, mapped ahead or now. Nothing may be written to it."""
    return _mapped_ahead.pop(path, None) or _map(path)


def forget(path: Path) -> None:
    """Do not use the copy that was mapped ahead: it is about to be replaced."""
    _mapped_ahead.pop(path, None)


def _map(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        # Private, so that torch takes it for memory of its own.
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _populate(buffer: mmap.mmap) -> None:
    assert kernels is not None
    kernels.populate(ctypes.addressof(ctypes.c_char.from_buffer(buffer)), len(buffer))
