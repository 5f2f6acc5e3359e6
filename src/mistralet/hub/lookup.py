"""How a model's name becomes a file or folder on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mistralet.hub.default import default_model_name
from mistralet.hub.names import TINY, HubModel, parse_name
from mistralet.hub.repository import download_snapshot, find_snapshot
from mistralet.hub.tiny import tiny_path


@dataclass(frozen=True)
class ResolvedModel:
    """A model on this machine."""

    path: Path  # a folder, or the text file of a GGUF model with its mmproj file beside it
    name: str  # as the user gave it
    is_stand_in: bool = False  # no model was named or configured, so the stand-in was taken


def resolve(name: str | None) -> ResolvedModel:
    """The model called `name`, downloaded if it is not on this machine.

    Args:
        name: a path, an alias, a repository as `org/name` or `org/name:TAG`, or None for the configured default.

    Raises:
        ModelNotFoundError: there is no such model, or it cannot be downloaded.
        ConfigError: it is none mistralet can run.
        UsageError: the configured default cannot be read.
    """
    return find_local(name) or download(name)


def find_local(name: str | None) -> ResolvedModel | None:
    """The model called `name` if it is whole on this machine. Asks no server.

    Raises:
        ModelNotFoundError: nothing can be called so.
        UsageError: the configured default cannot be read.
    """
    name, is_stand_in = _or_default(name)
    source = parse_name(name)
    if isinstance(source, Path):
        return ResolvedModel(source, name)
    if isinstance(source, HubModel):
        snapshot = find_snapshot(source)
        return None if snapshot is None else ResolvedModel(snapshot.path, name)
    path = tiny_path(download=False)
    return None if path is None else ResolvedModel(path, name, is_stand_in)


def download(name: str | None) -> ResolvedModel:
    """The model called `name` in its newest state: Hugging Face is asked even if a copy is on this machine.

    Raises:
        ModelNotFoundError, ConfigError, UsageError: as `resolve`.
    """
    name, is_stand_in = _or_default(name)
    source = parse_name(name)
    if isinstance(source, Path):
        return ResolvedModel(source, name)
    if isinstance(source, HubModel):
        return ResolvedModel(download_snapshot(source).path, name)
    return ResolvedModel(tiny_path(), name, is_stand_in)


def _or_default(name: str | None) -> tuple[str, bool]:
    """The name to look up, and whether it is the stand-in for want of any."""
    chosen = default_model_name() if name is None else name
    return (TINY, True) if chosen is None else (chosen, False)
