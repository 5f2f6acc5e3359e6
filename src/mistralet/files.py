"""Files: written whole or not at all, never to the last byte of the disk, and told apart by their state."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

# Left free on a disk by what is written only to save time.
_ROOM = 1 << 30  # bytes


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: to a temporary name beside it, flushed to the disk, then renamed.

    A file that was there keeps its permissions.

    Raises:
        OSError: it cannot be written; what was at `path` is still there.
    """
    temporary = path.with_name(f".mistralet-{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            if path.exists():
                shutil.copymode(path, temporary)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def require_room(folder: Path, nbytes: int) -> None:
    """Check that `nbytes` more in a folder leave room on its disk for other things.

    Raises:
        OSError: they do not.
    """
    if shutil.disk_usage(folder).free < nbytes + _ROOM:
        raise OSError(errno.ENOSPC, "the disk is nearly full")


def file_states(files: Iterable[Path]) -> list[tuple[str, int, int]]:
    """Path, size and time of change of each file, by path: other contents have another state."""
    stats = [(file, file.stat()) for file in sorted({file.resolve() for file in files})]
    return [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats]
