"""What of a file the system holds in memory: it decides how fast a program starts."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from pathlib import Path

_CHUNK = 16 << 20  # bytes


def read_through(path: Path) -> None:
    """Read all of a file, so that as much of it is in memory as there is room for."""
    buffer = bytearray(_CHUNK)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def forget(path: Path) -> None:
    """Have the system drop what it holds of a file in memory, where it can be told to and nobody has it mapped."""
    if not hasattr(os, "posix_fadvise"):
        return
    with path.open("rb") as file:
        os.fsync(file.fileno())  # what is not on the disk yet cannot be dropped
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def share_in_memory(path: Path) -> float | None:
    """The share of a file's pages that are in memory, 0 to 1; None where the system does not tell."""
    if not sys.platform.startswith("linux"):
        return None
    with path.open("rb") as file:
        nbytes = os.fstat(file.fileno()).st_size
        if nbytes == 0:
            return 1.0
        # Private and never written to: what is asked for here is the address alone.
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    pages = (nbytes + mmap.PAGESIZE - 1) // mmap.PAGESIZE
    states = (ctypes.c_ubyte * pages)()
    start = ctypes.c_char.from_buffer(mapping)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(nbytes), states) != 0:
            return None
    finally:
        del start
        mapping.close()
    return sum(state & 1 for state in bytes(states)) / pages
