"""The model to take when none is named."""

from __future__ import annotations

import os
import tomllib

import platformdirs

from mistralet.errors import UsageError


def default_model_name() -> str | None:
    """The name in the environment variable MISTRALET_MODEL, else under `model` in the user's `config.toml`.

    Raises:
        UsageError: the file is no TOML, or its `model` is no name.
    """
    name = os.environ.get("MISTRALET_MODEL")
    if name:
        return name
    file = platformdirs.user_config_path("mistralet") / "config.toml"
    try:
        name = tomllib.loads(file.read_text(encoding="utf-8")).get("model")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # both Unicode and TOML errors are ValueErrors
        raise UsageError(f"{file}: cannot be read as TOML ({error}); correct or remove it.") from error
    if name is not None and (not isinstance(name, str) or not name):
        raise UsageError(f"{file}: 'model' is {name!r}, but must be a model's name in quotes.")
    return name
