"""The folder that a run of `run_python` may write in: how much is in it, and that it goes afterwards in any case.

Code that means harm nests folders deeper than a path can name, makes very many, or lets nobody list them. So nothing
here recurses, and what is made stays bounded.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)  # Unix alone
_PREFIX = "mistralet-python-"
_SECONDS_TO_REMOVE = 5.0  # that a run waits for it; the rest is done beside what follows
_LEAST_AGE = 60.0  # seconds: a folder that was just made may not be locked yet


@asynccontextmanager
async def scratch_folder() -> AsyncIterator[Path]:
    """An empty folder that is removed afterwards; those of programs that were killed are removed first.

    It is locked (flock(2)) as long as this program lives and uses it: one without a lock belongs to nobody.
    """
    await asyncio.to_thread(_remove_abandoned)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = _locked(folder)
    assert lock is not None
    try:
        yield folder
    finally:
        removal = asyncio.ensure_future(asyncio.to_thread(_remove_and_close, folder, lock))
        await asyncio.wait([removal], timeout=_SECONDS_TO_REMOVE)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder, None if another one does."""
    import fcntl  # not everywhere

    descriptor = os.open(folder, _FOLDER)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # removed by another program, or not a folder of this user's
            info = folder.lstat()
            if info.st_uid != os.geteuid() or time.time() - info.st_mtime < _LEAST_AGE:
                continue
            if (lock := _locked(folder)) is not None:
                _remove_and_close(folder, lock)


def _remove_and_close(folder: Path, lock: int) -> None:
    try:
        with contextlib.suppress(OSError):  # what cannot be removed now is abandoned, and tried again later
            remove(folder)
    finally:
        os.close(lock)


def remove(folder: Path) -> None:
    """Remove a folder that nothing uses any more and all below it, however deep, by a walk with one open folder.

    Raises:
        OSError: a part of it cannot be removed.
    """
    here = os.open(folder, _FOLDER)
    try:
        left = [_without_files(here)]  # the folders that are still there, at each level down to this one
        while len(left) > 1 or left[0]:
            if left[-1]:
                here = _step(here, left[-1][-1])
                left.append(_without_files(here))
            else:
                here = _step(here, "..")
                left.pop()
                os.rmdir(left[-1].pop(), dir_fd=here)
    finally:
        os.close(here)
    folder.rmdir()


def _step(here: int, name: str) -> int:
    there = os.open(name, _FOLDER, dir_fd=here)
    os.close(here)
    return there


def _without_files(here: int) -> list[str]:
    """The folders in a folder, which can be listed from now on; all else in it is removed."""
    folders = []
    for name in os.listdir(here):
        if stat.S_ISDIR(os.lstat(name, dir_fd=here).st_mode):
            os.chmod(name, 0o700, dir_fd=here)
            folders.append(name)
        else:
            os.unlink(name, dir_fd=here)
    return folders


def holds_more(folder: Path, entries: int, size: int) -> bool:
    """Whether there are more files and folders below, or bytes on the disk, or some that cannot be looked at."""
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    entries -= 1
                    with contextlib.suppress(FileNotFoundError):
                        size -= entry.stat(follow_symlinks=False).st_blocks * 512
                    if entries < 0 or size < 0:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):  # it went meanwhile
            continue
        except OSError:  # too deep for a path, or not to be listed
            return True
    return False
