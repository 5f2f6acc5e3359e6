"""From a path to the checkpoint that lies there."""

from __future__ import annotations

from pathlib import Path

from mistralet.checkpoint.base import Checkpoint
from mistralet.checkpoint.gguf import open_gguf
from mistralet.checkpoint.hf import open_hf
from mistralet.checkpoint.native import open_native
from mistralet.errors import CheckpointError

# What a folder's format shows by. A release holds the same weights in both formats, and a folder may have the small
# files of both and one's weights; folders of GGUF files often hold the original's configuration too.
_FOLDER_FORMATS = (
    ("params.json", "consolidated*.safetensors*", open_native),
    ("config.json", "model*.safetensors*", open_hf),
)


def open_checkpoint(path: Path) -> Checkpoint:
    """Open the model at `path`: a GGUF file, or a folder in Mistral's, Hugging Face's or GGUF format.

    An mmproj file beside a GGUF file is taken as its vision encoder.

    Raises:
        ConfigError, CheckpointError: there is no model, or it is damaged, incomplete or unsupported.
    """
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise CheckpointError(f"{path}: is no model; name a .gguf file or a folder with a model")
        return open_gguf(path, _find_mmproj(path))
    described = [(weights, opener) for config, weights, opener in _FOLDER_FORMATS if (path / config).is_file()]
    for weights, opener in described:
        if any(path.glob(weights)):
            return opener(path)
    texts = [file for file in _gguf_files(path) if not _is_mmproj(file)]
    if len(texts) == 1:
        return open_gguf(texts[0], _find_mmproj(texts[0]))
    if texts:
        raise CheckpointError(f"{path}: holds {len(texts)} GGUF files; name one, for example {texts[0].name}")
    if described:
        _, opener = described[0]
        return opener(path)  # which says what weights are missing
    raise CheckpointError(f"{path}: holds no model (no params.json, config.json or .gguf file)")


def _gguf_files(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.glob("*")) if file.suffix.lower() == ".gguf" and file.is_file()]


def _is_mmproj(path: Path) -> bool:
    return "mmproj" in path.name.lower()


def _find_mmproj(text: Path) -> Path | None:
    """The one mmproj file beside a GGUF file, if there is one."""
    found = [file for file in _gguf_files(text.parent) if _is_mmproj(file)]
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise CheckpointError(
            f"{text.parent}: holds several mmproj files ({names}); keep the one that fits {text.name}"
        )
    return found[0] if found else None
