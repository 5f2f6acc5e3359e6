"""Where settings come from: flags before the environment before a file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from mistralet.errors import UsageError
from mistralet.server.settings import Settings

_PREFIX = "MISTRALET_"
NAMES = tuple(each.name for each in fields(Settings))


def read_settings(flags: Mapping[str, Any], file: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings; what none of the sources says keeps its default.

    Args:
        flags: by the names of the settings; None is not given.
        file: TOML, whose keys are the names of the settings.

    Raises:
        UsageError: the file cannot be read, or a value is of the wrong kind or out of range; says where it stands.
    """
    found: dict[str, tuple[Any, str]] = {}
    for name, value in (_of_file(file) if file else {}).items():
        found[name] = value, f"'{name}' in {file}"
    for name in NAMES:
        variable = _PREFIX + name.upper()
        if variable in environment:
            found[name] = _split(name, environment[variable]), f"the variable {variable}"
        if flags.get(name) is not None:
            found[name] = flags[name], "--" + name.replace("_", "-")
    return Settings(**{name: _typed(name, *given) for name, given in found.items()})


def _of_file(file: Path) -> dict[str, Any]:
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The settings file {file} cannot be read ({error.strerror}).") from error
    except ValueError as error:  # no UTF-8, or no TOML
        raise UsageError(f"The settings file {file} is not TOML ({error}); correct it.") from error
    unknown = sorted(settings.keys() - set(NAMES))
    if unknown:
        raise UsageError(f"The settings file {file} has '{unknown[0]}', which is no setting; see docs/server.md.")
    return settings


def _split(name: str, text: str) -> str | list[str]:
    if str(_TYPES[name]).startswith("tuple"):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _typed(name: str, value: Any, where: str) -> Any:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(_TYPES[name]).validate_python(value)
    except ValidationError as error:
        raise UsageError(f"The setting {where} is {value!r}, which does not do: {error.errors()[0]['msg']}.") from error


_TYPES = get_type_hints(Settings)
