"""Which files of a repository make up one model, decided from the names alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Literal

from mistralet.errors import ModelNotFoundError
from mistralet.hub.names import DEFAULT_QUANTIZATION, HubModel

Format = Literal["native", "huggingface", "gguf"]


@dataclass(frozen=True)
class RepoFiles:
    """The files of one model, as paths inside their repository."""

    format: Format
    names: tuple[str, ...]
    config: str | None = None  # the file that describes the model; None for GGUF, whose text file does
    gguf: str | None = None  # the text file of a GGUF model


@dataclass(frozen=True)
class _Layout:
    """A format of several files in the repository's top folder."""

    format: Format
    config: str
    weights: str  # pattern
    others: tuple[str, ...]  # patterns


_SIDE_FILES = ("tekken.json", "SYSTEM_PROMPT.txt", "generation_config.json")
# By preference: Mistral's own files are the ones everything else was converted from.
_LAYOUTS = (
    _Layout(
        "native",
        "params.json",
        "consolidated*.safetensors",
        ("consolidated.safetensors.index.json", *_SIDE_FILES),
    ),
    _Layout(
        "huggingface",
        "config.json",
        "model*.safetensors",
        ("model.safetensors.index.json", "preprocessor_config.json", *_SIDE_FILES),
    ),
)
# Of the vision encoder's files: sixteen bits lose nothing that matters, and every reader takes F16.
_MMPROJ_TAGS = ("F16", "BF16")
_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})(\.\w+)")
_MOST_NAMES_SHOWN = 12


def choose_files(model: HubModel, listing: Collection[str]) -> RepoFiles:
    """The files of `model` among all files of its repository.

    Without a quantisation: safetensors if the repository has them, Mistral's own before Hugging Face's, else GGUF.

    Raises:
        ModelNotFoundError: the repository has no such model, several, or one split in a way that is not supported.
    """
    if model.quantization is None:
        top = [name for name in listing if "/" not in name]
        for layout in _LAYOUTS:
            if layout.config in top and any(fnmatchcase(name, layout.weights) for name in top):
                return _files_of(layout, top)
    texts = gguf_texts(listing)
    if not texts:
        raise ModelNotFoundError(
            f"{model.repo} has no {'files' if model.quantization is None else 'GGUF files'} mistralet can read; "
            "name another repository, with safetensors or GGUF files of a Mistral Small 3 model."
        )
    text = _choose_text(model, texts)
    mmproj = _choose_mmproj(text, listing)
    return RepoFiles("gguf", (text,) if mmproj is None else (mmproj, text), gguf=text)


def gguf_texts(listing: Iterable[str]) -> list[str]:
    """The GGUF files that hold a text model, not a vision encoder."""
    return sorted(name for name in listing if _is_gguf(name) and not _is_mmproj(name))


def has_all_shards(names: Collection[str]) -> bool:
    """Whether of every file that is split into numbered shards, all shards are among `names`."""
    for name in names:
        match = _SHARD.fullmatch(name)
        if match is None:
            continue
        stem, _, count, suffix = match.groups()
        present = sum(other.startswith(f"{stem}-") and other.endswith(f"-of-{count}{suffix}") for other in names)
        if present < int(count):
            return False
    return True


def _files_of(layout: _Layout, top: list[str]) -> RepoFiles:
    patterns = (layout.config, layout.weights, *layout.others)
    names = {name for name in top if any(fnmatchcase(name, pattern) for pattern in patterns)}
    return RepoFiles(layout.format, tuple(sorted(names)), config=layout.config)


def _choose_text(model: HubModel, texts: list[str]) -> str:
    tag = model.quantization or DEFAULT_QUANTIZATION
    matches = [name for name in texts if _has_tag(name, tag)]
    if model.quantization is None and len(texts) == 1:
        matches = texts
    whole = [name for name in matches if not _SHARD.fullmatch(name)]
    if len(whole) == 1:
        return whole[0]
    if not matches:
        raise ModelNotFoundError(
            f"{model.repo} has no GGUF file with the tag {tag}; name one of its files as '{model.repo}:TAG': "
            f"{_shown(texts)}."
        )
    if not whole:
        raise ModelNotFoundError(
            f"{model.repo} has {tag} only in several parts ({PurePosixPath(matches[0]).name}), which mistralet does "
            "not read; name another quantisation, or join the parts with 'llama-gguf-split --merge'."
        )
    raise ModelNotFoundError(
        f"{model.repo} has {len(whole)} GGUF files with the tag {tag}; download one and name its path: {_shown(whole)}."
    )


def _choose_mmproj(text: str, listing: Iterable[str]) -> str | None:
    """The vision encoder that lies beside a text file."""
    folder = PurePosixPath(text).parent
    found = sorted(name for name in listing if _is_mmproj(name) and PurePosixPath(name).parent == folder)
    for tag in _MMPROJ_TAGS:
        for name in found:
            if _has_tag(name, tag):
                return name
    return found[0] if found else None


def _is_gguf(name: str) -> bool:
    # The listing comes from outside: nothing that leads out of the repository's folder is looked at.
    is_inside = not name.startswith("/") and "\\" not in name and ".." not in name.split("/")
    return is_inside and name.endswith(".gguf")


def _is_mmproj(name: str) -> bool:
    return _is_gguf(name) and "mmproj" in PurePosixPath(name).name.lower()


def _has_tag(name: str, tag: str) -> bool:
    """Whether a file's name has `tag` as a whole part: Q4_K_M is none of Q4_K_M_L and IQ4_K_M."""
    return re.search(rf"(?:^|[-.]){re.escape(tag)}(?=[-.])", PurePosixPath(name).name, re.IGNORECASE) is not None


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES_SHOWN} more" if len(names) > _MOST_NAMES_SHOWN else ""
    return ", ".join(names[:_MOST_NAMES_SHOWN]) + more
