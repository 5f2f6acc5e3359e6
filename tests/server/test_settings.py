"""Settings: a flag counts before the environment, that before a file; what is wrong is said with its place."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mistralet.config import KVType
from mistralet.errors import UsageError
from mistralet.server.settings import ABOUT, Settings
from mistralet.server.settings_sources import NAMES, read_settings


def write(folder: Path, text: str) -> Path:
    file = folder / "settings.toml"
    file.write_text(text)
    return file


def test_flag_before_environment_before_file_before_default(tmp_path: Path) -> None:
    file = write(tmp_path, 'port = 1\nmax_n = 2\nmax_tools = 3\ncors_origins = ["https://a.example"]\n')
    environment = {"MISTRALET_PORT": "11", "MISTRALET_MAX_N": "12", "PORT": "99"}
    settings = read_settings({"port": 21, "max_n": None}, file, environment)
    assert (settings.port, settings.max_n, settings.max_tools) == (21, 12, 3)
    assert settings.cors_origins == ("https://a.example",)
    assert settings.max_stop == Settings().max_stop


def test_texts_become_what_they_stand_for() -> None:
    environment = {
        "MISTRALET_API_KEYS": "one, two,",
        "MISTRALET_FILE_FOLDERS": "/a,/b",
        "MISTRALET_REFUSE_UNKNOWN_FIELDS": "true",
        "MISTRALET_FETCH_SECONDS": "2.5",
        "MISTRALET_KV_TYPE": "int8",
        "MISTRALET_TLS_KEY": "/key",
        "MISTRALET_TLS_CERTIFICATE": "/certificate",
    }
    settings = read_settings({}, None, environment)
    assert settings.api_keys == ("one", "two")
    assert settings.file_folders == (Path("/a"), Path("/b"))
    assert (settings.refuse_unknown_fields, settings.fetch_seconds) == (True, 2.5)
    assert (settings.kv_type, settings.tls_key) == (KVType.INT8, Path("/key"))


@pytest.mark.parametrize(
    ("flags", "environment", "file", "message"),
    [
        ({}, {"MISTRALET_PORT": "high"}, "", "the variable MISTRALET_PORT is 'high'"),
        ({}, {}, 'port = "high"', "'port' in .*settings.toml is 'high'"),
        ({}, {}, "port = [1]", "'port' in .*settings.toml"),
        ({}, {}, "prt = 1", "has 'prt', which is no setting"),
        ({}, {}, "port = ", "is not TOML"),
        ({"port": 70000}, {}, "", "port is 70000, but must be at most 65535"),
        ({"max_n": 0}, {}, "", "max_n is 0, but must be at least 1"),
        ({"grace_seconds": float("nan")}, {}, "", "grace_seconds is nan"),
        ({"tls_key": Path("a")}, {}, "", "HTTPS takes both"),
        ({"host": "::"}, {}, "", "Other machines can reach ::"),
        ({}, {"MISTRALET_HOST": "192.168.0.1"}, "", "Other machines can reach 192.168.0.1"),
    ],
)
def test_what_does_not_do_is_refused(
    tmp_path: Path, flags: dict[str, Any], environment: dict[str, str], file: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read_settings(flags, write(tmp_path, file), environment)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings({}, tmp_path / "none.toml", {})


def test_every_setting_is_explained_here_and_in_the_documentation() -> None:
    assert set(NAMES) == {each.name for each in fields(Settings)} == set(ABOUT)
    page = (Path(__file__).parent.parent.parent / "docs" / "server.md").read_text()
    assert [name for name in NAMES if f"| `{name}` |" not in page] == []
