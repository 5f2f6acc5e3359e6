"""What lies in the KV library, for people: to be listed and removed by name."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mistralet.engine.kv_library import LONGEST_HEADER, SECTION, KVLibrary
from mistralet.errors import UsageError


@dataclass(frozen=True)
class KeptPrefix:
    """A prefix that is kept under a name; or, without one, all that a model's prompts left by themselves."""

    name: str | None
    model: str  # what it was called when the prompt was read; "" if that is not known
    tokens: int
    nbytes: int  # of its files, which other prefixes may share
    last_used: float  # seconds since 1970


@dataclass(frozen=True)
class _Section:
    path: Path
    model: str
    nbytes: int
    last_used: float


def kept_prefixes(library: KVLibrary) -> list[KeptPrefix]:
    """Everything in the library: what has a name, by name, then what has none, by model."""
    sections = {section.path.stem: section for section in map(_section, library.folder.glob("*.kv")) if section}
    names = library.names.all()
    prefixes = [_prefix(name, [sections[key] for key in keys if key in sections]) for name, keys in names.items()]
    named = {key for keys in names.values() for key in keys}
    by_model: dict[str, list[_Section]] = {}
    for key, section in sections.items():
        if key not in named:
            by_model.setdefault(section.model, []).append(section)
    return prefixes + [_prefix(None, by_model[model]) for model in sorted(by_model)]


def remove_prefixes(library: KVLibrary, names: Iterable[str]) -> int:
    """Remove what is kept under these names, but for what other names keep, too; the bytes that are free now.

    Raises:
        UsageError: there is no such name; then nothing is removed.
    """
    kept = library.names.all()
    wanted = set(names)
    for name in sorted(wanted - kept.keys()):
        others = f"there are {', '.join(sorted(kept))}" if kept else "nothing is kept under a name"
        raise UsageError(f"Nothing is kept under the name '{name}'; {others}.")
    for name in wanted:
        library.names.remove(name)
    let_go = {key for name in wanted for key in kept[name]} - library.names.keys()
    return _unlink(library.folder / f"{key}.kv" for key in let_go)


def clear(library: KVLibrary) -> int:
    """Remove everything, with a name or without; the bytes that are free now."""
    for name in library.names.all():
        library.names.remove(name)
    return _unlink(library.folder.glob("*.kv"))


def _unlink(paths: Iterable[Path]) -> int:
    freed = 0
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # an engine removed it meanwhile
            freed += path.stat().st_size
            path.unlink()
    return freed


def _prefix(name: str | None, sections: list[_Section]) -> KeptPrefix:
    return KeptPrefix(
        name,
        next((section.model for section in sections), ""),
        SECTION * len(sections),
        sum(section.nbytes for section in sections),
        max((section.last_used for section in sections), default=0.0),
    )


def _section(path: Path) -> _Section | None:
    """None if it was removed meanwhile. Of a damaged file, which an engine removes when it meets it, only the size."""
    try:
        status = path.stat()
        with path.open("rb") as file:
            line = file.readline(LONGEST_HEADER)
    except OSError:
        return None
    try:
        model = json.loads(line)["model"]
    except (ValueError, KeyError, TypeError):
        model = ""
    return _Section(path, model if isinstance(model, str) else "", status.st_size, status.st_mtime)
