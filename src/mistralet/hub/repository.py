"""Models in Hugging Face repositories: finding them in the cache, and downloading what is not there."""

from __future__ import annotations

import glob
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mistralet.config import config_from_hf, config_from_native
from mistralet.config.fields import read_json_table
from mistralet.errors import ModelNotFoundError
from mistralet.hub.names import HubModel
from mistralet.hub.repo_errors import plain_errors
from mistralet.hub.repo_files import RepoFiles, choose_files, has_all_shards
from mistralet.machine import format_bytes

_LISTING_TIMEOUT = 20.0  # seconds


@dataclass(frozen=True)
class Snapshot:
    """One whole model in the Hugging Face cache."""

    folder: Path
    files: RepoFiles

    @property
    def path(self) -> Path:
        """What to open: the text file of a GGUF model, else the folder."""
        return self.folder if self.files.gguf is None else self.folder / self.files.gguf

    @property
    def nbytes(self) -> int:
        """Bytes of all files of the model."""
        return sum((self.folder / name).stat().st_size for name in self.files.names)


def find_snapshot(model: HubModel) -> Snapshot | None:
    """The model as it lies in the cache, or None if it is not there or lacks a file. Asks no server."""
    folder = snapshot_folder(model.repo)
    if folder is None:
        return None
    try:
        files = choose_files(model, _known_listing(model.repo) or list_files(folder))
    except ModelNotFoundError:
        return None
    is_whole = has_all_shards(files.names) and all((folder / name).is_file() for name in files.names)
    return Snapshot(folder, files) if is_whole else None


def download_snapshot(model: HubModel) -> Snapshot:
    """Bring the newest state of a model into the cache; what is there already is not fetched again.

    Raises:
        ModelNotFoundError: there is no such model, no connection, no permission, or no room.
        ConfigError: the model is none mistralet can run; its weights were not downloaded.
    """
    from huggingface_hub import HfApi, hf_hub_download, snapshot_download

    with plain_errors(model.repo):
        listing = HfApi().model_info(model.repo, timeout=_LISTING_TIMEOUT).siblings or []
        files = choose_files(model, [file.rfilename for file in listing])
        if files.config is not None:
            config = Path(hf_hub_download(model.repo, files.config))
            check_config(config, files, source=f"{model.repo}/{files.config}")
            _check_tokenizer(model.repo, files)
        # The library takes patterns; these are names.
        patterns = [glob.escape(name) for name in files.names]
        _check_room(model.repo, patterns)
        return Snapshot(Path(snapshot_download(model.repo, allow_patterns=patterns)), files)


def snapshot_folder(repo: str) -> Path | None:
    """The folder of a repository in the cache, whichever of its files are there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo, allow_patterns=[], local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def list_files(folder: Path) -> list[str]:
    """All files under a folder, as '/'-separated paths inside it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def check_config(file: Path, files: RepoFiles, source: str) -> None:
    """Raise `ConfigError` if the model described in `file` is none of this family."""
    read = config_from_native if files.format == "native" else config_from_hf
    read(read_json_table(file), source)


def _check_tokenizer(repo: str, files: RepoFiles) -> None:
    """Raise `ModelNotFoundError` if a model in safetensors comes without the file that holds its tokenizer."""
    if "tekken.json" not in files.names:
        raise ModelNotFoundError(
            f"{repo} has no tekken.json, without which the model cannot read text; name the repository of the release "
            "itself, or one of GGUF files."
        )


def _known_listing(repo: str) -> list[str]:
    """The names of all files of the repository, if an earlier download kept them."""
    from huggingface_hub import get_cached_repo_tree
    from huggingface_hub.errors import CachedRepoTreeNotFoundError

    try:
        return [file.path for file in get_cached_repo_tree(repo)]
    except CachedRepoTreeNotFoundError:
        return []


def _check_room(repo: str, patterns: list[str]) -> None:
    """Raise `ModelNotFoundError` if what is missing does not fit on the disk."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.utils.tqdm import tqdm

    class Silent(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs | {"disable": True})  # type: ignore[no-untyped-call]

    planned = snapshot_download(repo, allow_patterns=patterns, dry_run=True, tqdm_class=Silent)
    needed = sum(file.file_size or 0 for file in planned if file.will_download)
    cache = Path(constants.HF_HUB_CACHE)
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if needed > free:
        raise ModelNotFoundError(
            f"{repo} needs {format_bytes(needed)} more in {cache}, but only {format_bytes(free)} are free; make room, "
            "or set HF_HOME to a folder on a larger disk."
        )
