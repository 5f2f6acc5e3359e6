"""`KeptNames`: prefixes that people have given a name to, so that they stay in the library."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from mistralet.errors import UsageError
from mistralet.files import write_atomically

_NAME = re.compile(r"[\w][\w .@+-]{0,99}")
_LARGEST = 16 << 20  # bytes


class KeptNames:
    """Names and the sections that each keeps: a JSON file for each name in the folder `names` of the library's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "names"

    def set(self, name: str, keys: Iterable[str]) -> None:
        """Let a name keep these sections, and no longer those it kept before.

        Raises:
            UsageError: it cannot be a file's name.
        """
        path = self._path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(list(keys)).encode())

    def remove(self, name: str) -> bool:
        """Let go of what a name keeps; False if there is no such name."""
        path = self._path(name)
        found = path.exists()
        path.unlink(missing_ok=True)
        return found

    def all(self) -> dict[str, list[str]]:
        """The names and what each keeps."""
        names = {}
        for path in sorted(self.folder.glob("*.json")):
            try:
                keys = json.loads(path.read_bytes()[:_LARGEST])
            except (OSError, ValueError):
                continue
            if isinstance(keys, list):
                names[path.stem] = [key for key in keys if isinstance(key, str)]
        return names

    def keys(self) -> frozenset[str]:
        """Everything that some name keeps."""
        return frozenset(key for keys in self.all().values() for key in keys)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UsageError(f"'{name}' cannot be a name in the cache; use letters, digits, spaces and . _ @ + - only.")
        return self.folder / f"{name}.json"
