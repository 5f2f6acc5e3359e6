"""What a model's name means: the stand-in, a path on this machine, or a Hugging Face repository."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from mistralet.errors import ModelNotFoundError
from mistralet.hub.releases import RELEASES

TINY: Final = "tiny"
DEFAULT_QUANTIZATION = "Q4_K_M"


@dataclass(frozen=True)
class HubModel:
    """One model in a Hugging Face repository."""

    repo: str
    quantization: str | None = None  # tag in the name of the GGUF file to take; None: the repository's best format


ALIASES: dict[str, HubModel] = {
    alias: model
    for release in RELEASES.values()
    for alias, model in (
        (release.alias, HubModel(release.repo)),
        (f"{release.alias}:q4", HubModel(release.gguf_repo, DEFAULT_QUANTIZATION)),
    )
}

# Hugging Face's own rules for names, and a tag; what they do not allow never becomes part of a URL or a path.
_PART = r"[A-Za-z0-9_](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_REPOSITORY = re.compile(rf"(?!.*(?:\.\.|--))({_PART}/{_PART})(?::([\w.-]{{1,64}}))?", re.ASCII)
_PATH_SUFFIXES = (".gguf", ".safetensors")


def parse_name(name: str) -> Path | HubModel | Literal["tiny"]:
    """What `name` stands for. Aliases come before paths: write `./tiny` for a folder of that name.

    Raises:
        ModelNotFoundError: it is no alias, there is no such path, and it cannot be a repository.
    """
    if name == TINY:
        return TINY
    if name in ALIASES:
        return ALIASES[name]
    path = _existing_path(name)
    if path is not None:
        return path
    match = _REPOSITORY.fullmatch(name)
    if match is not None and not name.lower().endswith(_PATH_SUFFIXES):
        return HubModel(*match.groups())
    raise ModelNotFoundError(_explain_unknown(name))


def _existing_path(name: str) -> Path | None:
    try:
        path = Path(name).expanduser()
        return path if name and path.exists() else None
    except (OSError, RuntimeError):  # not ours to read, too long, or the home of a user who does not exist
        return None


def _explain_unknown(name: str) -> str:
    quoted = repr(name if len(name) <= 80 else name[:77] + "...")
    if re.search(r"[/\\~]", name) or name.startswith(".") or name.lower().endswith(_PATH_SUFFIXES):
        return (
            f"There is no file or folder {quoted}, and it is no repository name either; check the spelling, "
            "or name a repository as 'org/name'."
        )
    known = [TINY, *ALIASES]
    similar = difflib.get_close_matches(name.lower(), known, n=1)
    if similar:
        return f"{quoted} is no model name; did you mean '{similar[0]}'?"
    return f"{quoted} is no model name; name a path, a repository as 'org/name', or one of {', '.join(known)}."
