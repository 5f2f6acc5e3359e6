"""Reading of typed values out of a configuration file, with errors that name the file and the key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mistralet.errors import ConfigError


class _Required:
    """Marks a key without a default."""


REQUIRED: Final = _Required()

# No model of this family comes near; a damaged file must not make us count to a billion.
LARGEST_COUNT = 1 << 28
_SMALLEST_NUMBER, _LARGEST_NUMBER = 1e-30, 1e30  # within float32, in which models compute
_MAX_JSON_BYTES = 64 << 20


class Fields:
    """One table of a configuration file. Every accessor raises `ConfigError` naming `source` and the key."""

    def __init__(self, values: Mapping[str, Any], source: str, prefix: str = "") -> None:
        self.values = values
        self.source = source
        self.prefix = prefix

    def error(self, key: str, problem: str) -> ConfigError:
        """The error for one key of this table."""
        return ConfigError(f"{self.source}: '{self.prefix}{key}' {problem}")

    def has(self, key: str) -> bool:
        """Whether the file states the key (null counts as not stated)."""
        return self.values.get(key) is not None

    def integer(self, key: str, default: int | _Required = REQUIRED, maximum: int = LARGEST_COUNT) -> int:
        """A positive whole number."""
        value = self._value(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= maximum:
            raise self.error(key, f"is {_shorten(value)}, but must be a whole number from 1 to {maximum}")
        return value

    def number(self, key: str, default: float | _Required = REQUIRED) -> float:
        """A positive number, rounded to the seven digits a float32 field holds."""
        value = self._value(key, default)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not (is_number and _SMALLEST_NUMBER <= value <= _LARGEST_NUMBER):
            limits = f"{_SMALLEST_NUMBER:g} to {_LARGEST_NUMBER:g}"
            raise self.error(key, f"is {_shorten(value)}, but must be a number from {limits}")
        return float(f"{value:.7g}")

    def boolean(self, key: str, default: bool | _Required = REQUIRED) -> bool:
        """true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"is {_shorten(value)}, but must be true or false")
        return value

    def table(self, key: str) -> Fields:
        """A nested table."""
        value = self._value(key, REQUIRED)
        if not isinstance(value, Mapping):
            raise self.error(key, "must be a table of values")
        return Fields(value, self.source, f"{self.prefix}{key}.")

    def expect(self, key: str, *allowed: object, why: str = "") -> None:
        """Refuse the file if it states a value for `key` that is none of `allowed`."""
        value = self.values.get(key)
        if value is not None and value not in allowed:
            choices = " or ".join(repr(choice) for choice in allowed) or "absent"
            raise self.error(key, f"is {_shorten(value)}, but only {choices} is supported{f' ({why})' if why else ''}")

    def refuse(self, key: str, why: str) -> None:
        """Refuse the file if it states `key` with anything but null, false, zero or an empty table."""
        if self.values.get(key):
            raise self.error(key, f"is {_shorten(self.values[key])}, which is not supported: {why}")

    def _value(self, key: str, default: object) -> Any:
        value = self.values.get(key)
        if value is not None:
            return value
        if default is REQUIRED:
            raise self.error(key, "is missing")
        return default


def read_json_table(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises `ConfigError` if it is no JSON object or implausibly large."""
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise ConfigError(f"{path}: is too large to be a configuration file")
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read as JSON; download the file again") from error
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: must hold a JSON object, but holds a {type(table).__name__}")
    return table


def require_divisible(fields: Fields, key: str, value: int, by: int, meaning: str) -> None:
    """Refuse the file if `value` (of `key`) is not a multiple of `by`."""
    if value % by:
        raise fields.error(key, f"is {value}, which is not a multiple of {meaning} ({by})")


def require_room_for_a_token(fields: Fields, key: str, image_size: int, token_size: int) -> None:
    """Refuse the file if its largest image has no room for one token of `token_size` pixels a side."""
    if image_size < token_size:
        raise fields.error(key, f"is {image_size}, but one token covers {token_size} pixels")


def require_in_vocabulary(fields: Fields, key: str, token_id: int, vocab_size: int) -> None:
    """Refuse the file if it names a token that its vocabulary does not have."""
    if token_id >= vocab_size:
        raise fields.error(key, f"is {token_id}, but the vocabulary ends at {vocab_size - 1}")


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
