"""The models on this machine that need no download."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mistralet.errors import ConfigError
from mistralet.hub.names import ALIASES, TINY, HubModel
from mistralet.hub.repo_files import Format, gguf_texts
from mistralet.hub.repository import Snapshot, check_config, find_snapshot, list_files, snapshot_folder
from mistralet.hub.tiny import tiny_path

_ALIAS_OF = {model: alias for alias, model in ALIASES.items()}
# The last part of a GGUF file's name, where it is a type of weights: Q4_K_M, IQ4_XS, BF16 ...
_TAG = re.compile(r"[-.]((?:I?Q\d+|TQ\d+)(?:_\w+)?|B?F16|F32)\.gguf", re.IGNORECASE)


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine."""

    name: str  # as every command takes it
    path: Path
    format: Format
    size: int  # bytes
    alias: str | None


def list_local() -> list[LocalModel]:
    """The whole models in the Hugging Face cache that look like ones mistralet can read, and the stand-in."""
    models = [model for repo in _cached_repos() for model in _models_in(repo)]
    tiny = tiny_path(download=False)
    if tiny is not None:
        models.append(LocalModel(TINY, tiny, "gguf", tiny.stat().st_size, TINY))
    return models


def _cached_repos() -> list[str]:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except CacheNotFound:
        return []
    return sorted(repo.repo_id for repo in repos if repo.repo_type == "model")


def _models_in(repo: str) -> Iterator[LocalModel]:
    folder = snapshot_folder(repo)
    texts = gguf_texts(list_files(folder)) if folder is not None else []
    tags = [match.group(1) for text in texts if (match := _TAG.search(PurePosixPath(text).name))]
    listed: set[Path] = set()
    # A tag says more than the repository's name alone, which may stand for the same file.
    for model in (*(HubModel(repo, tag) for tag in tags), HubModel(repo)):
        snapshot = find_snapshot(model)
        if snapshot is not None and snapshot.path not in listed and _is_readable(snapshot):
            listed.add(snapshot.path)
            name = repo if model.quantization is None else f"{repo}:{model.quantization}"
            yield LocalModel(name, snapshot.path, snapshot.files.format, snapshot.nbytes, _ALIAS_OF.get(model))


def _is_readable(snapshot: Snapshot) -> bool:
    """Whether the model's configuration is one of this family's; a GGUF file is not opened for that."""
    config = snapshot.files.config
    if config is None:
        return True
    try:
        check_config(snapshot.folder / config, snapshot.files, source=config)
    except ConfigError:
        return False
    return True
