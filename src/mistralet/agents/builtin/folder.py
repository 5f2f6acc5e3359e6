"""`Folder`: the files below one folder, and no others, whatever path is asked for.

A path is resolved, must then lie in the folder, and is opened from the folder downwards without following any link
(where the system can): a link that is put there between the check and the opening leads nowhere. What is opened must
be a file: a pipe or a device could be waited for without end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from mistralet.errors import ToolError
from mistralet.files import write_atomically

_BY_DESCRIPTOR = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_LONGEST_PATH = 1000  # characters
_OPEN_FILES = Path("/proc/self/fd")  # Linux: a path through a folder that is open


class Folder:
    """One folder.

    Raises:
        ToolError: there is no such folder.
    """

    def __init__(self, path: str) -> None:
        try:
            self.root = Path(path).expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:
            raise ToolError(f"There is no folder '{path}' for the tool 'files'.") from error
        if not self.root.is_dir():
            raise ToolError(f"'{path}' is not a folder; the tool 'files' works on one.")

    def resolve(self, path: str) -> PurePath:
        """Where a path leads, relative to the folder.

        Raises:
            ToolError: it leads out of the folder, or is no path at all.
        """
        if len(path) > _LONGEST_PATH:
            raise ToolError(f"A path has at most {_LONGEST_PATH} characters; this one has {len(path):,}.")
        try:
            given = PurePath(path)
            if given.is_absolute() or given.anchor or "\\" in path:
                raise ToolError(f"'{path}' must be given from the folder on, with / between names.")
            return (self.root / given).resolve().relative_to(self.root)
        except (ValueError, OSError, RuntimeError) as error:
            raise ToolError(f"'{path}' is not in the folder.") from error

    @contextmanager
    def opened(self, path: str) -> Iterator[int]:
        """A descriptor of a file, for reading.

        Raises:
            ToolError: it is not in the folder, does not exist, or is no file.
        """
        descriptor = self._open(self.resolve(path), path, os.O_RDONLY)
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise ToolError(f"'{path}' is {kind_of(mode)}, not a file.")
            yield descriptor
        finally:
            os.close(descriptor)

    def write(self, path: str, data: bytes) -> None:
        """Put a file there in one step, with the folders above it.

        Raises:
            ToolError: it is not in the folder, is something else than a file, or cannot be written.
        """
        place = self.resolve(path)
        target = self.root / place
        try:
            if not place.parts or (target.exists() and not target.is_file()):
                raise ToolError(f"'{path}' is not a file and cannot be written over.")
            target.parent.mkdir(parents=True, exist_ok=True)
            if not (_BY_DESCRIPTOR and _OPEN_FILES.is_dir()):
                write_atomically(target, data)
                return
            parent = self._open(place.parent, path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                write_atomically(_OPEN_FILES / str(parent) / place.name, data)
            finally:
                os.close(parent)
        except OSError as error:
            raise ToolError(f"'{path}' cannot be written: {error.strerror}.") from error

    def _open(self, place: PurePath, path: str, flags: int) -> int:
        safe = flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            if not _BY_DESCRIPTOR:
                return os.open(self.root / place, safe | getattr(os, "O_BINARY", 0))
            folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            for name in place.parts[:-1]:
                folder = _step(folder, name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            return _step(folder, place.name or ".", safe)
        except OSError as error:
            raise ToolError(f"'{path}' cannot be opened: {error.strerror}.") from error


def _step(folder: int, name: str, flags: int) -> int:
    """One step down, from a descriptor that is closed by it."""
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def kind_of(mode: int) -> str:
    """What a mode of `os.stat` is that of, in words."""
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "a file")
